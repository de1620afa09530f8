//! Sticky events: told to everybody in the room, wherever the timeline begins.
//!
//! To a user they are a stream: each comes about when it is told of, or when the user joins its room,
//! whichever is later. An answer goes on in it from where the last one ended, by its token, and tells
//! of so many: those behind them come with the next answers, and nothing that others send meanwhile
//! gets before them. An event that a timeline has shown in the meantime may be told of once more.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use myelin_core::membership::Membership;
use myelin_store::{
    LogKind, Read, StoreResult,
    events::{self, StoredEvent},
    log,
    sticky_events::{self, Among, ShownSticky},
};

use super::{
    news::{News, OwnChange},
    plan::Planned,
    poll::Poll,
    room::Part,
    timeline::Timeline,
};
use crate::{Notes, StickyPlace, Syncs};

/// Most sticky events of one answer.
const EVENTS_MAX: usize = 100;

/// The sticky events of an answer.
#[derive(Debug, Default)]
pub(super) struct StickyNews {
    by_room: BTreeMap<i64, Vec<ShownSticky>>,
    /// Where the client has arrived among them; None: these are all.
    pub(super) place: Option<StickyPlace>,
}

/// For each room that the user has joined since a position, the position at which that was.
type Entered = BTreeMap<i64, i64>;

impl Syncs {
    /// The first of all sticky events, for a client that knows nothing.
    pub(super) async fn all_sticky(
        &self,
        poll: &Poll,
        read: &mut Read,
        planned: &[Planned],
    ) -> StoreResult<StickyNews> {
        let joined = planned
            .iter()
            .filter(|planned| matches!(planned.part, Part::Joined { .. }));
        let rooms: Vec<i64> = joined.map(|planned| planned.room).collect();
        let (span, now_ms) = ((0, poll.position), poll.now_ms.cast_signed());
        let found = sticky_events::list_shown(read, Among::Rooms(&rooms), span, now_ms).await?;
        let came = found.into_iter().map(|sticky| (sticky.pos, sticky));
        self.first_of(poll, poll.position, came.collect()).await
    }

    /// The sticky events that came about since the client's token.
    ///
    /// Cost: those that are new, and what is sticky in rooms that the user has joined; while there
    /// are more than one answer tells of, what is sticky in all of the user's rooms.
    pub(super) async fn sticky_news(
        &self,
        poll: &Poll,
        read: &mut Read,
        news: &News,
    ) -> StoreResult<StickyNews> {
        let since = poll.since_position();
        let rest = poll.since.and_then(|since| since.sticky);
        let place = rest.unwrap_or(StickyPlace {
            came: since,
            told: i64::MAX,
            begun: since,
        });
        let entered = if rest.is_some() {
            let own = self.own_changes(poll, read, place.begun).await?;
            self.entered(poll, read, (&own, place.begun)).await?
        } else {
            self.entered(poll, read, (&news.own, since)).await?
        };
        let numbers: Vec<i64> = news
            .rooms
            .values()
            .flat_map(|room| room.sticky.iter().copied())
            .collect();
        let told = match rest {
            Some(_) => Among::Rooms(&news.joined),
            None => Among::Events(&numbers),
        };
        let now_ms = poll.now_ms.cast_signed();
        let span = (place.came, poll.position);
        let mut found = sticky_events::list_shown(read, told, span, now_ms).await?;
        let rooms: Vec<i64> = entered.keys().copied().collect();
        let (among, span) = (Among::Rooms(&rooms), (0, poll.position));
        found.extend(sticky_events::list_shown(read, among, span, now_ms).await?);
        let came = found.into_iter().map(|sticky| {
            let entered = entered.get(&sticky.room).copied().unwrap_or_default();
            (sticky.pos.max(entered), sticky)
        });
        let behind = came.filter(|(came, sticky)| (*came, sticky.pos) > (place.came, place.told));
        self.first_of(poll, place.begun, behind.collect()).await
    }

    /// Writes the sticky events of a room.
    pub(super) async fn write_sticky(
        &self,
        poll: &Poll,
        read: &mut Read,
        (text, told): (&mut String, &[ShownSticky]),
    ) -> StoreResult<()> {
        let numbers: Vec<i64> = told.iter().map(|sticky| sticky.event).collect();
        let found = events::list(read, &numbers).await?;
        let found: HashMap<i64, StoredEvent> = found
            .into_iter()
            .map(|event| (event.event, event))
            .collect();
        let mut comma = "";
        for sticky in told {
            // What was redacted at this moment is sticky no more.
            let event = found.get(&sticky.event);
            let Some(event) = event.filter(|event| event.redaction.is_none()) else {
                continue;
            };
            text.push_str(comma);
            comma = ",";
            let notes = Notes {
                sticky_until_ms: Some(sticky.until_ms),
                ..Notes::default()
            };
            poll.write_noted(text, (event, &notes))?;
        }
        Ok(())
    }

    /// As many of the sticky events that came about at these positions as one answer tells of.
    async fn first_of(
        &self,
        poll: &Poll,
        begun: i64,
        came: Vec<(i64, ShownSticky)>,
    ) -> StoreResult<StickyNews> {
        let mut in_order = BTreeMap::new();
        for (came, sticky) in came {
            if self.is_wanted(poll, &sticky).await? {
                in_order.insert((came, sticky.pos), sticky);
            }
        }
        let is_all = in_order.len() <= EVENTS_MAX;
        let mut news = StickyNews::default();
        for ((came, told), sticky) in in_order.into_iter().take(EVENTS_MAX) {
            news.by_room.entry(sticky.room).or_default().push(sticky);
            news.place = (!is_all).then_some(StickyPlace { came, told, begun });
        }
        Ok(news)
    }

    /// Not those of users whom the user ignores: what was missed then is not told of later (spec:
    /// "Ignoring Users"). Not those of rooms that the answer leaves out as a whole.
    async fn is_wanted(&self, poll: &Poll, sticky: &ShownSticky) -> StoreResult<bool> {
        if self.is_ignored(poll, sticky.sender).await? {
            return Ok(false);
        }
        let room_id = self.rooms.room_id(sticky.room).await?;
        Ok(poll.request.filter.room.allows_room(room_id.as_str()))
    }

    /// The changes of the user's own memberships after a position.
    async fn own_changes(
        &self,
        poll: &Poll,
        read: &mut Read,
        since: i64,
    ) -> StoreResult<BTreeMap<i64, Vec<OwnChange>>> {
        let (of, span) = ((poll.user(), LogKind::Membership), (since, poll.position));
        let entries = log::list_oldest(read, of, span, i64::MAX).await?;
        Ok(News::of(poll.user(), &entries).own)
    }

    /// The rooms that the user has come into, by the changes after a position.
    async fn entered(
        &self,
        poll: &Poll,
        read: &mut Read,
        (own, since): (&BTreeMap<i64, Vec<OwnChange>>, i64),
    ) -> StoreResult<Entered> {
        let mut entered = Entered::new();
        for (room, changes) in own {
            let is_out = |change: &OwnChange| change.membership != Membership::Join;
            let first = match changes.iter().rposition(is_out) {
                Some(out) => changes.get(out + 1),
                // A member changes their name by a join, too.
                None if self.was_joined(read, *room, (poll.user(), since)).await? => None,
                None => changes.first(),
            };
            entered.extend(first.map(|first| (*room, first.pos)));
        }
        Ok(entered)
    }
}

impl StickyNews {
    /// Lets the answer tell of the rooms in which there is something sticky, and nothing else new.
    pub(super) fn add_to(&self, planned: &mut Vec<Planned>) {
        let told: BTreeSet<i64> = planned.iter().map(|planned| planned.room).collect();
        let more = self.by_room.keys().filter(|room| !told.contains(room));
        planned.extend(more.map(|room| Planned::known(*room)));
        planned.sort_by_key(|planned| planned.section);
    }

    /// Those of a room that its timeline does not show.
    pub(super) fn beside(&self, room: i64, timeline: &Timeline) -> Vec<ShownSticky> {
        let Some(sticky) = self.by_room.get(&room) else {
            return Vec::new();
        };
        let shown = timeline.events.iter().map(|shown| shown.event.event);
        let shown: HashSet<i64> = shown.collect();
        let beside = sticky
            .iter()
            .filter(|sticky| !shown.contains(&sticky.event));
        beside.copied().collect()
    }
}
