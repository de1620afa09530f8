//! Which rooms an answer tells of, and what.

use std::collections::BTreeSet;

use myelin_core::{
    membership::Membership,
    trie::{StateKey, TYPE_MEMBER},
};
use myelin_store::{
    Read, StoreResult, events, log,
    memberships::{self, UserMembership},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    news::{News, OwnChange, RoomNews},
    poll::Poll,
    room::Part,
    state::Known,
};
use crate::Syncs;

/// The maps of the answer, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Section {
    Join,
    Invite,
    Knock,
    Leave,
}

/// A room that an answer tells of.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) section: Section,
    /// The interned room id.
    pub(super) room: i64,
    pub(super) part: Part,
}

/// All rooms of a user at one position.
pub(super) struct AllRooms {
    pub(super) position: i64,
    pub(super) rooms: Vec<Planned>,
}

impl Planned {
    /// A room that the client knows, and of which there may be nothing new.
    pub(super) fn known(room: i64) -> Self {
        let part = Part::Joined {
            known: Known::All,
            news: Some(RoomNews::default()),
        };
        Self::new(room, part)
    }

    fn new(room: i64, part: Part) -> Self {
        let section = match part {
            Part::Joined { .. } => Section::Join,
            Part::Invited(_) => Section::Invite,
            Part::Knocked(_) => Section::Knock,
            Part::Left { .. } => Section::Leave,
        };
        Self {
            section,
            room,
            part,
        }
    }
}

impl Syncs {
    /// All rooms of a user, for a client that knows nothing.
    pub(super) async fn plan_everything(
        &self,
        user: i64,
        include_leave: bool,
    ) -> StoreResult<AllRooms> {
        let mut snapshot = self.store.snapshot().await?;
        let position = log::position(&mut snapshot).await?;
        let joined = memberships::list_by_user(&mut snapshot, user, Membership::Join).await?;
        let mut rooms: Vec<Planned> = joined.iter().map(|found| whole(found.room)).collect();
        rooms.extend(outside(&mut snapshot, user).await?);
        rooms.extend(left(&mut snapshot, user, include_leave).await?);
        Ok(AllRooms { position, rooms })
    }

    /// What to tell a client of what is new.
    pub(super) async fn plan_news(
        &self,
        poll: &Poll,
        read: &mut Read,
        news: &mut News,
    ) -> StoreResult<Vec<Planned>> {
        let rooms: BTreeSet<i64> = news.rooms.keys().chain(news.own.keys()).copied().collect();
        let mut planned = Vec::with_capacity(rooms.len());
        for room in rooms {
            let room_news = news.rooms.remove(&room);
            let own = news.own.remove(&room).unwrap_or_default();
            let part = self.part_of(poll, read, room, (room_news, &own)).await?;
            planned.extend(part.map(|part| Planned::new(room, part)));
        }
        planned.sort_by_key(|planned| planned.section);
        Ok(planned)
    }

    /// Adds to what is new everything that the client may know: it wants the whole state of all
    /// rooms.
    pub(super) async fn add_known(
        &self,
        poll: &Poll,
        read: &mut Read,
        (planned, joined): (&mut Vec<Planned>, &[i64]),
    ) -> StoreResult<()> {
        for Planned { part, .. } in planned.iter_mut() {
            if let Part::Joined { known, .. } = part
                && *known == Known::All
            {
                *known = Known::Events;
            }
        }
        let told: BTreeSet<i64> = planned.iter().map(|planned| planned.room).collect();
        let known = joined.iter().map(|room| {
            let part = Part::Joined {
                known: Known::Events,
                news: Some(RoomNews::default()),
            };
            Planned::new(*room, part)
        });
        let mut more: Vec<Planned> = known.collect();
        more.extend(outside(read, poll.user()).await?);
        if poll.request.filter.room.include_leave() {
            more.extend(left(read, poll.user(), true).await?);
        }
        planned.extend(
            more.into_iter()
                .filter(|planned| !told.contains(&planned.room)),
        );
        planned.sort_by_key(|planned| planned.section);
        Ok(())
    }

    async fn part_of(
        &self,
        poll: &Poll,
        read: &mut Read,
        room: i64,
        (news, own): (Option<RoomNews>, &[OwnChange]),
    ) -> StoreResult<Option<Part>> {
        let Some(last) = own.last() else {
            return self.part_of_old(poll, read, room, news).await;
        };
        let then = (poll.user(), poll.since_position());
        Ok(Some(match last.membership {
            Membership::Invite => Part::Invited(last.event),
            Membership::Knock => Part::Knocked(last.event),
            Membership::Join if self.was_joined(read, room, then).await? => Part::Joined {
                known: Known::All,
                news,
            },
            Membership::Join => Part::Joined {
                known: Known::Nothing,
                news: None,
            },
            Membership::Leave | Membership::Ban => {
                let joined_since = own.iter().any(|own| own.membership == Membership::Join);
                let known = if self.was_joined(read, room, then).await? {
                    Some(Known::All)
                } else {
                    joined_since.then_some(Known::Nothing)
                };
                Part::Left {
                    event: last.event,
                    known,
                    data: news.map(|news| news.account_data).unwrap_or_default(),
                }
            }
        }))
    }

    /// A room in which the user is what the user was.
    async fn part_of_old(
        &self,
        poll: &Poll,
        read: &mut Read,
        room: i64,
        news: Option<RoomNews>,
    ) -> StoreResult<Option<Part>> {
        let Some(news) = news else {
            return Ok(None);
        };
        // Events are told of joined rooms only, but data may be kept for any.
        if news.events.is_empty() {
            let found = memberships::find(read, room, poll.user()).await?;
            if found.is_none_or(|found| found.membership != Membership::Join) {
                return Ok(None);
            }
        }
        Ok(Some(Part::Joined {
            known: Known::All,
            news: Some(news),
        }))
    }

    /// Whether a user was joined at a position.
    pub(super) async fn was_joined(
        &self,
        read: &mut Read,
        room: i64,
        (user, position): (i64, i64),
    ) -> StoreResult<bool> {
        let root = self.root_at(read, room, position).await?;
        let key = StateKey {
            event_type: TYPE_MEMBER,
            state_key: user,
        };
        let found = self
            .rooms
            .state_numbers(read, (room, &root), &[key])
            .await?;
        let Some(number) = found.into_iter().next().flatten() else {
            return Ok(false);
        };
        let event = events::find(read, number).await?;
        Ok(event.and_then(|event| membership_of(&event.json)) == Some(Membership::Join))
    }
}

fn whole(room: i64) -> Planned {
    let part = Part::Joined {
        known: Known::Nothing,
        news: None,
    };
    Planned::new(room, part)
}

/// The rooms that a user is invited to or has knocked at.
async fn outside(read: &mut Read, user: i64) -> StoreResult<Vec<Planned>> {
    let invited = memberships::list_by_user(read, user, Membership::Invite).await?;
    let knocked = memberships::list_by_user(read, user, Membership::Knock).await?;
    let invited = invited
        .iter()
        .map(|found| Planned::new(found.room, Part::Invited(found.event)));
    let knocked = knocked
        .iter()
        .map(|found| Planned::new(found.room, Part::Knocked(found.event)));
    Ok(invited.chain(knocked).collect())
}

/// The rooms that a user has left: all of them, or those that others have put the user out of.
async fn left(read: &mut Read, user: i64, include_leave: bool) -> StoreResult<Vec<Planned>> {
    let mut found = if include_leave {
        memberships::list_by_user(read, user, Membership::Leave).await?
    } else {
        memberships::list_left_by_others(read, user).await?
    };
    found.extend(memberships::list_by_user(read, user, Membership::Ban).await?);
    found.sort_by_key(|found| found.room);
    let rooms = found.into_iter().map(|UserMembership { room, event, .. }| {
        let part = Part::Left {
            event,
            known: Some(Known::Nothing),
            data: Vec::new(),
        };
        Planned::new(room, part)
    });
    Ok(rooms.collect())
}

/// The membership that a stored member event gives.
pub(super) fn membership_of(json: &str) -> Option<Membership> {
    #[derive(Deserialize)]
    struct Stored<'a> {
        #[serde(borrow)]
        content: &'a RawValue,
    }
    let stored: Stored<'_> = serde_json::from_str(json).ok()?;
    Membership::of_content(stored.content)
}
