//! The timeline of a room in an answer.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashSet},
};

use myelin_core::{membership::Membership, trie::TYPE_MEMBER};
use myelin_rooms::{RoomView, VisibleEvent};
use myelin_store::{
    Read, StoreResult,
    events::{self, StoredEvent},
    gaps::{self, GAP},
};

use super::{SCAN_MAX, TIMELINE_LIMIT, TIMELINE_LIMIT_MAX, plan::membership_of, poll::Poll};
use crate::{ShownEvent, Syncs, filter::EventMatcher};

/// Events that are read at once, once the first did not suffice.
const CHUNK: usize = 250;

/// A timeline, and what those who choose the state must know of it.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// The events shown, the oldest first.
    pub(super) events: Vec<ShownEvent>,
    /// Whether there may be older ones that the client has not got.
    pub(super) limited: bool,
    /// Whether state events were left out: the client has to learn of them by other means.
    pub(super) lacks_state: bool,
    /// Whether there were member events, shown or not.
    pub(super) has_members: bool,
}

/// Where a timeline's events come from, newest first.
#[derive(Debug)]
pub(super) enum Source {
    /// Events by number, the newest last.
    Numbers {
        /// Those not yet read.
        left: Vec<i64>,
        /// Whether there are older ones that the client has not got.
        more: bool,
    },
    /// Events by their place in the room.
    Orders {
        /// Those not yet read lie below this.
        before: i64,
        /// The first that the client has not got.
        from: i64,
        /// Whether all of them were read.
        done: bool,
    },
}

/// A look at one room.
struct Sight {
    room: i64,
    /// What the user may see of it; None: it was not needed so far.
    view: Option<RoomView>,
    /// The room order of the event before which others are missing here.
    floor: Option<i64>,
}

impl Sight {
    /// Takes away what lies below a gap, for a timeline has none; true: it ends here.
    fn cut(&self, events: &mut Vec<StoredEvent>) -> bool {
        let Some(floor) = self.floor else {
            return false;
        };
        let before = events.len();
        events.retain(|event| event.room_order >= floor);
        let last = events.last();
        events.len() < before || last.is_some_and(|last| last.room_order == floor)
    }
}

impl Syncs {
    /// The newest events of a source that the client wants and may see. At most 1,000 are looked
    /// at; if there are more, the timeline is limited, as if all of them were wanted.
    pub(super) async fn timeline(
        &self,
        poll: &Poll,
        read: &mut Read,
        room: i64,
        mut source: Source,
    ) -> StoreResult<Timeline> {
        let mut sight = Sight {
            room,
            view: None,
            floor: None,
        };
        let filter = &poll.request.filter.room.timeline;
        let limit = filter.limit(TIMELINE_LIMIT, TIMELINE_LIMIT_MAX);
        let mut matcher = filter.matcher();
        let mut timeline = Timeline::default();
        let mut state_events = HashSet::new();
        let mut scanned = 0;
        while timeline.events.len() <= limit && scanned < SCAN_MAX {
            // One more than is shown tells whether there are more.
            let wanted = if scanned == 0 { limit + 1 } else { CHUNK };
            let mut chunk = source
                .next(read, room, wanted.min(SCAN_MAX - scanned))
                .await?;
            if chunk.is_empty() {
                break;
            }
            if scanned == 0 {
                sight.floor = self.gap_below(read, &chunk).await?;
            }
            scanned += chunk.len();
            let meets_gap = sight.cut(&mut chunk);
            timeline.has_members |= chunk.iter().any(|event| event.event_type == TYPE_MEMBER);
            let of_state = chunk.iter().filter(|event| event.state_key.is_some());
            state_events.extend(of_state.map(|event| event.event));
            let shown = self
                .shown(poll, read, (&mut sight, &mut matcher), chunk)
                .await?;
            timeline.events.extend(shown);
            if meets_gap {
                timeline.limited = true;
                break;
            }
        }
        timeline.limited |= timeline.events.len() > limit || source.may_have_more();
        timeline.events.truncate(limit);
        timeline.events.reverse();
        if timeline.limited {
            self.bundle_limited(poll, read, (&mut sight, &mut timeline))
                .await?;
        }
        for shown in &timeline.events {
            state_events.remove(&shown.event.event);
        }
        timeline.lacks_state = !state_events.is_empty();
        Ok(timeline)
    }

    /// The room order of the event above the next gap below these events, the newest first. Only
    /// in rooms that ever had one are there orders as great as this, so others cost nothing.
    async fn gap_below(&self, read: &mut Read, events: &[StoredEvent]) -> StoreResult<Option<i64>> {
        let newest = events.first().filter(|newest| newest.room_order > GAP);
        let Some(newest) = newest else {
            return Ok(None);
        };
        let gap = gaps::find_below(read, newest.room, newest.room_order).await?;
        Ok(gap.map(|gap| gap.upper))
    }

    /// Those events that the client wants and may see.
    async fn shown(
        &self,
        poll: &Poll,
        read: &mut Read,
        (sight, matcher): (&mut Sight, &mut EventMatcher<'_>),
        mut events: Vec<StoredEvent>,
    ) -> StoreResult<Vec<ShownEvent>> {
        matcher.retain(&self.store, &mut events).await?;
        let filter = &poll.request.filter.room.timeline;
        self.retain_related(read, filter, &mut events).await?;
        self.retain_unignored(poll, &mut events).await?;
        self.visible(poll, read, sight, events).await
    }

    /// Those events that the user may see.
    async fn visible(
        &self,
        poll: &Poll,
        read: &mut Read,
        sight: &mut Sight,
        events: Vec<StoredEvent>,
    ) -> StoreResult<Vec<ShownEvent>> {
        let is_own = |event: &StoredEvent| {
            event.event_type == TYPE_MEMBER && event.state_key == Some(poll.user())
        };
        // Who is joined when an event is sent may see it, whatever the history's visibility is.
        let joined = |event: &StoredEvent| {
            !is_own(event) && poll.watch.is_joined_at(sight.room, &event.root_before)
        };
        let visible: Vec<VisibleEvent> = if events.iter().all(joined) {
            let events = events.into_iter();
            events
                .map(|event| VisibleEvent {
                    event,
                    membership: Membership::Join,
                    shows_before: true,
                })
                .collect()
        } else {
            let Some(view) = self.view(poll, read, sight).await? else {
                return Ok(Vec::new());
            };
            let own: Vec<StoredEvent> = events
                .iter()
                .filter(|event| is_own(event))
                .cloned()
                .collect();
            let mut visible = self.rooms.visible(read, view, events).await?;
            let newest = visible.iter().find(|visible| !is_own(&visible.event));
            if let Some(newest) = newest.filter(|newest| newest.membership == Membership::Join) {
                let root = &newest.event.root_before;
                poll.watch.remember_joined_at(sight.room, root);
            }
            add_own(&mut visible, own);
            visible
        };
        self.annotate(read, sight.room, visible).await
    }

    /// Adds what others say about the events, as far as the client may not be told of it otherwise.
    async fn bundle_limited(
        &self,
        poll: &Poll,
        read: &mut Read,
        (sight, timeline): (&mut Sight, &mut Timeline),
    ) -> StoreResult<()> {
        let kinds = self.bundle_kinds(read, &timeline.events).await?;
        if kinds.is_empty() {
            return Ok(());
        }
        let Some(view) = self.view(poll, read, sight).await? else {
            return Ok(());
        };
        let mut ignored = BTreeSet::new();
        for user in &poll.ignored {
            ignored.extend(self.store.find_interned(user.as_bytes()).await?);
        }
        self.bundle(read, view, (&mut timeline.events, &kinds), &ignored)
            .await
    }

    async fn view<'a>(
        &self,
        poll: &Poll,
        read: &mut Read,
        sight: &'a mut Sight,
    ) -> StoreResult<Option<&'a mut RoomView>> {
        if sight.view.is_none() {
            sight.view = self
                .rooms
                .view_by_number(read, sight.room, poll.user())
                .await?;
        }
        Ok(sight.view.as_mut())
    }
}

/// What became of the user is shown to the user wherever it happened: a refused invitation, or a
/// ban behind the end of what else may be seen.
fn add_own(visible: &mut Vec<VisibleEvent>, own: Vec<StoredEvent>) {
    for event in own {
        if visible.iter().all(|shown| shown.event.event != event.event) {
            visible.push(VisibleEvent {
                membership: membership_of(&event.json).unwrap_or(Membership::Leave),
                event,
                shows_before: true,
            });
        }
    }
    visible.sort_by_key(|visible| Reverse(visible.event.room_order));
}

impl Source {
    /// All events of a room that lie below an order.
    pub(super) fn below(before: i64) -> Self {
        Self::Orders {
            before,
            from: i64::MIN,
            done: false,
        }
    }

    /// The timeline of somebody who wants none: but what it would have held may have changed the
    /// state.
    pub(super) fn unread(&self) -> Timeline {
        let lacks_state = match self {
            Self::Numbers { left, more } => *more || !left.is_empty(),
            Self::Orders { .. } => true,
        };
        Timeline {
            lacks_state,
            has_members: lacks_state,
            ..Timeline::default()
        }
    }

    async fn next(
        &mut self,
        read: &mut Read,
        room: i64,
        wanted: usize,
    ) -> StoreResult<Vec<StoredEvent>> {
        match self {
            Self::Numbers { left, .. } => {
                let numbers = left.split_off(left.len().saturating_sub(wanted));
                let mut found = events::list(read, &numbers).await?;
                found.sort_by_key(|event| Reverse(event.room_order));
                Ok(found)
            }
            Self::Orders { done: true, .. } => Ok(Vec::new()),
            Self::Orders { before, from, done } => {
                let limit = i64::try_from(wanted).unwrap_or(i64::MAX);
                let mut found = events::list_before(read, room, *before, limit).await?;
                let read_through = found.len() < wanted;
                let is_new = |event: &StoredEvent| event.room_order >= *from;
                *done = read_through || !found.last().is_some_and(is_new);
                found.retain(is_new);
                *before = found.last().map_or(*before, |event| event.room_order);
                Ok(found)
            }
        }
    }

    /// Whether something was not read that the client may not have got.
    fn may_have_more(&self) -> bool {
        match self {
            Self::Numbers { left, more } => *more || !left.is_empty(),
            Self::Orders { done, .. } => !done,
        }
    }
}
