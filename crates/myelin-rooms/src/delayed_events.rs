//! Delayed events: users say now what is to be sent later, unless they think better of it.
//!
//! [MSC4140](https://github.com/matrix-org/matrix-spec-proposals/blob/main/proposals/4140-delayed-events-futures.md).
//! A delayed event is a row that the set of the event ends, so it is sent once, whoever tries at
//! the same time and whatever is killed meanwhile. One node at a time sends those whose time has
//! come (`sender.rs`).

mod keep;
mod manage;
mod schedule;
mod send;
mod sender;

use std::borrow::Cow;

use myelin_store::{
    StoreError, StoreResult,
    delayed_events::{self, DelayId, DelayedEvent, Outcome},
    events,
};
use ruma::{OwnedEventId, OwnedRoomId};

pub use self::{
    manage::{DelayedEventAction, ManageDelayedEventError},
    schedule::{ScheduleError, ScheduleEvent},
    send::SendDelayedError,
    sender::DescribeFailure,
};
use crate::{Rooms, numbers::parse};

/// The longest delay: 30 days.
pub const DELAY_MS_MAX: u64 = 30 * 24 * 60 * 60 * 1_000;
/// Most delayed events of a user that may wait at a time. It is as many events as a user may send at
/// once (the rate limit of messages), so that those which are due at one moment are no more.
pub const SCHEDULED_MAX: i64 = 100;

/// A delayed event as its sender is told of it.
#[derive(Debug)]
pub struct ShownDelayedEvent {
    /// The event.
    pub event: DelayedEvent,
    /// The room.
    pub room_id: OwnedRoomId,
    /// Its type.
    pub event_type: String,
    /// Its state key, if it is a state event.
    pub state_key: Option<String>,
    /// The event that it became.
    pub event_id: Option<OwnedEventId>,
}

impl Rooms {
    /// A user's delayed event: one that waits, or that has ended not long ago.
    pub async fn delayed_event(
        &self,
        sender: i64,
        id: DelayId,
    ) -> StoreResult<Option<ShownDelayedEvent>> {
        match self.own_delayed_event(sender, id).await? {
            Some(found) => self.show_delayed_event(found).await.map(Some),
            None => Ok(None),
        }
    }

    /// A user's delayed events that wait, in the order in which they are to be sent.
    pub async fn scheduled_events(&self, sender: i64) -> StoreResult<Vec<ShownDelayedEvent>> {
        let mut read = self.store.read();
        // Those that were scheduled at the same time may be a few more.
        let limit = 2 * SCHEDULED_MAX;
        let found = delayed_events::list_scheduled(&mut read, sender, limit).await?;
        let mut shown = Vec::with_capacity(found.len());
        for event in found {
            shown.push(self.show_delayed_event(event).await?);
        }
        Ok(shown)
    }

    async fn own_delayed_event(
        &self,
        sender: i64,
        id: DelayId,
    ) -> StoreResult<Option<DelayedEvent>> {
        let found = delayed_events::find(&mut self.store.read(), id).await?;
        Ok(found.filter(|found| found.sender == sender))
    }

    async fn show_delayed_event(&self, event: DelayedEvent) -> StoreResult<ShownDelayedEvent> {
        let mut numbers = vec![event.room, event.event_type];
        numbers.extend(event.state_key);
        let names = self.store.interned(&numbers).await?;
        let text = |index: usize| {
            let name = names.get(index).map(|name| String::from_utf8_lossy(name));
            name.map(Cow::into_owned)
        };
        let event_id = match event.end.as_ref().map(|end| &end.outcome) {
            Some(Outcome::Sent(number)) => {
                let sent = events::find(&mut self.store.read(), *number).await?;
                sent.and_then(|sent| parse(sent.id.as_bytes()))
            }
            _ => None,
        };
        let missing = StoreError::Missing { table: "interned" };
        Ok(ShownDelayedEvent {
            room_id: names.first().and_then(|id| parse(id)).ok_or(missing)?,
            event_type: text(1).unwrap_or_default(),
            state_key: event.state_key.and_then(|_| text(2)),
            event_id,
            event,
        })
    }
}
