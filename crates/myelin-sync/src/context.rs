//! `/context`: what happened around an event.

use std::collections::BTreeSet;

use bytes::Bytes;
use myelin_rooms::{RoomView, VisibleEvent};
use myelin_store::{Read, StoreError, StoreResult, events::StoredEvent, gaps::Gap};

use crate::{
    Direction, RoomToken, ShownEvent, Syncs,
    filter::EventFilter,
    initial::{place_after, place_before},
    walk::{Sieve, Walk},
};

/// Most events around the one asked for.
const LIMIT_MAX: usize = 1_000;

/// An event and what happened around it.
#[derive(Debug)]
pub struct Context {
    /// Where `/messages` goes on backwards.
    pub start: RoomToken,
    /// Where it goes on forwards.
    pub end: RoomToken,
    /// What happened before, the newest first.
    pub before: Vec<ShownEvent>,
    /// The event.
    pub event: ShownEvent,
    /// What happened after, the oldest first.
    pub after: Vec<ShownEvent>,
    /// The state after the last of the events; where members are loaded lazily, of the members only
    /// those who sent the events.
    pub state: Vec<StoredEvent>,
    /// The gap that what happened before ends at, before there was enough of it.
    pub gap: Option<Gap>,
}

impl Syncs {
    /// What a user may see around an event: half of the limit before it, the rest after it.
    ///
    /// Cost: the events and the size of the state, without its members if these are loaded lazily.
    pub async fn context(
        &self,
        read: &mut Read,
        view: &mut RoomView,
        event: VisibleEvent,
        (limit, filter): (usize, &EventFilter),
    ) -> StoreResult<Context> {
        let limit = filter.limit(limit, limit).min(LIMIT_MAX);
        let (start, end) = (place_before(&event.event), place_after(&event.event));
        let mut sieve = self.sieve(read, view.user, filter).await?;
        let mut back = Walk::new(view, Direction::Backward, (start.before, None));
        let before = self
            .walk(read, view, (&mut back, &mut sieve), limit / 2)
            .await?;
        let mut forth = Walk::new(view, Direction::Forward, (end.before, None));
        let after = self
            .walk(read, view, (&mut forth, &mut sieve), limit - limit / 2)
            .await?;
        let last = after.last().unwrap_or(&event);
        let root = self.rooms.root_after(read, &last.event).await?;
        let all = before.iter().chain([&event]).chain(&after);
        let senders = all.map(|visible| visible.event.sender).collect();
        let state = self
            .context_state(read, (view.room, &root), (filter, &mut sieve), &senders)
            .await?;
        // Annotated together, because that costs as many round trips as one of them.
        let split = before.len();
        let all = before.into_iter().chain([event]).chain(after).collect();
        let shown = self.annotate(read, view.room, all).await?;
        let shown = self.bundled(read, view, shown, &sieve.ignored).await?;
        let mut shown = shown.into_iter();
        let before = shown.by_ref().take(split).collect();
        let event = shown
            .next()
            .ok_or(StoreError::Missing { table: "events" })?;
        let after = shown.collect();
        Ok(Context {
            start: back.last.unwrap_or(start),
            end: forth.last.unwrap_or(end),
            before,
            event,
            after,
            state,
            gap: back.met.filter(|_| split < limit / 2),
        })
    }

    async fn context_state(
        &self,
        read: &mut Read,
        at: (i64, &Bytes),
        (filter, sieve): (&EventFilter, &mut Sieve<'_>),
        senders: &BTreeSet<i64>,
    ) -> StoreResult<Vec<StoredEvent>> {
        let mut state = if filter.lazy_load_members() {
            let entries = self.rooms.state_without_members(read, at).await?;
            let numbers: Vec<i64> = entries.into_iter().map(|(_, number)| number).collect();
            let mut state = self.rooms.events_in_order(read, &numbers).await?;
            state.extend(self.member_events(read, at, senders).await?);
            state
        } else {
            self.rooms.state(read, at.0, at.1).await?
        };
        sieve.retain_state(self, &mut state).await?;
        Ok(state)
    }
}
