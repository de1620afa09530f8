//! What is told of one room.

use myelin_core::trie::StateKey;
use myelin_store::{
    LogKind, Read, StoreResult, departures,
    events::{self, StoredEvent},
    log,
};
use ruma::RoomId;

use super::{
    news::RoomNews,
    poll::Poll,
    state::{Known, Span},
    summary::Summary,
    timeline::{Source, Timeline},
};
use crate::Syncs;

/// What is to be told of a room.
#[derive(Debug)]
pub(super) enum Part {
    /// The user is joined.
    Joined {
        known: Known,
        /// What is new; None: everything is.
        news: Option<RoomNews>,
    },
    /// The user is invited, by the member event with this number.
    Invited(i64),
    /// The user has knocked, by the member event with this number.
    Knocked(i64),
    /// The user is no longer joined, invited or knocking.
    Left {
        /// The number of the user's member event.
        event: i64,
        /// What the client knows of the room; None: the user was never joined to it, as far as
        /// this answer goes.
        known: Option<Known>,
        /// The keys of the user's data for the room that have changed.
        data: Vec<i64>,
    },
}

/// A timeline with what belongs to it.
pub(super) struct Told {
    pub(super) timeline: Timeline,
    pub(super) summary: Option<Summary>,
    /// The numbers of the state events, in the order of their keys.
    pub(super) state: Vec<i64>,
}

impl Syncs {
    /// A room that the user is joined to.
    pub(super) async fn tell_joined(
        &self,
        poll: &Poll,
        read: &mut Read,
        (room, room_id): (i64, &RoomId),
        (known, news): (Known, Option<RoomNews>),
    ) -> StoreResult<Told> {
        let source = match news {
            Some(RoomNews { events, more, .. }) => Source::Numbers { left: events, more },
            None => Source::below(self.end_order(read, room, poll.position).await?),
        };
        let timeline = self
            .room_timeline(poll, read, (room, room_id), source)
            .await?;
        let news_of_members = timeline.has_members || timeline.limited;
        let summary = if known != Known::All || news_of_members {
            Some(self.summary(poll, read, room).await?)
        } else {
            None
        };
        let heroes = summary.as_ref().map(Summary::heroes).unwrap_or_default();
        let span = Span {
            room,
            known,
            end: None,
        };
        let state = if wants_state(poll, room_id) {
            self.state_of(poll, read, span, (&timeline, heroes)).await?
        } else {
            Vec::new()
        };
        Ok(Told {
            timeline,
            summary,
            state: numbers(state),
        })
    }

    /// A room that the user has left: what happened until then, as far as the user may see it.
    pub(super) async fn tell_left(
        &self,
        poll: &Poll,
        read: &mut Read,
        (leave, room_id): (StoredEvent, &RoomId),
        known: Option<Known>,
    ) -> StoreResult<Told> {
        let room = leave.room;
        let departure = departures::find(read, room, poll.user()).await?;
        let departure = known.and_then(|known| Some((known, departure?)));
        let source = match &departure {
            Some((Known::Nothing, _)) => Source::below(leave.room_order + 1),
            Some(_) => Source::Orders {
                before: leave.room_order + 1,
                from: self.end_order(read, room, poll.since_position()).await?,
                done: false,
            },
            // Who was never joined is shown nothing but that it is over.
            None => Source::Numbers {
                left: vec![leave.event],
                more: false,
            },
        };
        let timeline = self
            .room_timeline(poll, read, (room, room_id), source)
            .await?;
        let mut state = Vec::new();
        if wants_state(poll, room_id) {
            if let Some((known, departure)) = &departure {
                let span = Span {
                    room,
                    known: *known,
                    end: Some((&departure.root, departure.room_order)),
                };
                state = self.state_of(poll, read, span, (&timeline, &[])).await?;
            }
            add_own(poll, &leave, &timeline, &mut state);
        }
        Ok(Told {
            timeline,
            summary: None,
            state: numbers(state),
        })
    }

    async fn room_timeline(
        &self,
        poll: &Poll,
        read: &mut Read,
        (room, room_id): (i64, &RoomId),
        source: Source,
    ) -> StoreResult<Timeline> {
        let filter = &poll.request.filter.room.timeline;
        if filter.allows_nothing() || !filter.allows_room(room_id.as_str()) {
            return Ok(source.unread());
        }
        self.timeline(poll, read, room, source).await
    }

    /// The room order behind the newest event up to a position.
    async fn end_order(&self, read: &mut Read, room: i64, position: i64) -> StoreResult<i64> {
        let Some(entry) = log::find_last(read, room, LogKind::Event, position).await? else {
            return Ok(i64::MIN);
        };
        let last = events::find(read, entry.reference).await?;
        Ok(last.map_or(i64::MIN, |event| event.room_order + 1))
    }
}

/// The user's own member event, where neither the timeline nor the state tells of it: it may have
/// come after the user's time in the room, as a ban may.
fn add_own(poll: &Poll, own: &StoredEvent, timeline: &Timeline, state: &mut Vec<(StateKey, i64)>) {
    let is_shown = timeline
        .events
        .iter()
        .any(|shown| shown.event.event == own.event);
    let Some(state_key) = own.state_key else {
        return;
    };
    if poll.request.state_form.is_after() || !is_shown {
        let key = StateKey {
            event_type: own.event_type,
            state_key,
        };
        state.retain(|(other, _)| *other != key);
        state.push((key, own.event));
    }
}

fn wants_state(poll: &Poll, room_id: &RoomId) -> bool {
    let filter = &poll.request.filter.room.state;
    !filter.allows_nothing() && filter.allows_room(room_id.as_str())
}

fn numbers(entries: Vec<(StateKey, i64)>) -> Vec<i64> {
    entries.into_iter().map(|(_, number)| number).collect()
}
