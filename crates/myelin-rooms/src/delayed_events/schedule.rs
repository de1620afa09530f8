//! Scheduling: what is asked for is written down, and looked at when its time has come.

use myelin_core::{
    event::{EVENT_BYTES_MAX, EventError},
    ids::ID_BYTES_MAX,
    json,
    membership::Membership,
};
use myelin_store::{
    StoreError, WriteSet,
    delayed_events::{self, DelayId, DelayedEvent},
    memberships,
};
use ruma::{CanonicalJsonObject, RoomId, UserId};

use super::{DELAY_MS_MAX, SCHEDULED_MAX, keep};
use crate::{ActingDevice, ClientTransaction, Rooms, numbers::EventNumbers};

/// An event to be sent later.
#[derive(Debug)]
pub struct ScheduleEvent<'a> {
    /// The room.
    pub room_id: &'a RoomId,
    /// A local user.
    pub sender: &'a UserId,
    /// The event's type.
    pub event_type: &'a str,
    /// Its state key, if it is to be a state event.
    pub state_key: Option<&'a str>,
    /// Its content.
    pub content: CanonicalJsonObject,
    /// How many milliseconds it waits.
    pub delay_ms: u64,
    /// For how many milliseconds it is sticky from then on.
    pub sticky_ms: Option<u32>,
    /// Names the request, if its repetition shall not schedule again.
    pub transaction: Option<ClientTransaction<'a>>,
    /// The device that asks for it.
    pub acting: ActingDevice<'a>,
}

/// Why an event was not scheduled.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// There is no such room here, or the sender is not in it: which of the two is not told.
    #[error("{sender} is not in the room {room_id}")]
    NotInRoom {
        /// Who wanted to send.
        sender: String,
        /// Where to.
        room_id: String,
    },
    /// No delay at all.
    #[error("a delayed event waits at least one millisecond")]
    NoDelay,
    /// A delay that is too long.
    #[error("an event can be delayed by {DELAY_MS_MAX} milliseconds at most")]
    DelayTooLong,
    /// As many of the user's events wait as may.
    #[error("{SCHEDULED_MAX} of your events wait to be sent, which is the most there can be")]
    TooMany {
        /// When the next of them is sent.
        retry_after_ms: u64,
    },
    /// No event can be so.
    #[error("{0}")]
    Invalid(EventError),
    /// The database failed.
    #[error("the event could not be scheduled")]
    Store(#[from] StoreError),
}

impl Rooms {
    /// Schedules an event and answers with the id of the delayed event once it is durable. Whether
    /// the event may be sent is decided when its time has come.
    pub async fn schedule(&self, schedule: ScheduleEvent<'_>) -> Result<DelayId, ScheduleError> {
        let content = json::to_canonical(&schedule.content);
        check(&schedule, &content)?;
        let ScheduleEvent {
            room_id,
            sender,
            event_type,
            state_key,
            ..
        } = schedule;
        let numbers = EventNumbers::intern(&self.store, event_type, sender, state_key).await?;
        let place = format!("{room_id} {event_type}");
        let transaction = schedule.transaction;
        let transaction = transaction.map(|named| named.of(numbers.sender, &place));
        let mut attempts = self.store.attempts();
        loop {
            if let Some(number) = self.answered(transaction.as_ref()).await? {
                return Ok(DelayId::new(number));
            }
            let room = self.room_of_member(&schedule, numbers.sender).await?;
            self.check_count(numbers.sender).await?;
            let new = DelayedEvent {
                id: DelayId::new(i64::from_be_bytes(self.server.random())),
                sender: numbers.sender,
                room,
                event_type: numbers.event_type,
                state_key: numbers.state_key.filter(|_| state_key.is_some()),
                content: content.clone().into(),
                sticky_ms: schedule.sticky_ms.map(i64::from),
                delay_ms: schedule.delay_ms.cast_signed(),
                scheduled_ms: self.now_ms(),
                end: None,
                version: 1,
            };
            let (mut read, mut writes) = (self.store.read(), WriteSet::new());
            delayed_events::insert(&mut writes, &new);
            keep::forget_oldest(&mut read, &mut writes, numbers.sender).await?;
            self.remember(&mut writes, transaction.as_ref(), new.id.number());
            self.note_activity(&mut writes, numbers.sender, Some(schedule.acting));
            if attempts.commit(writes).await?.is_some() {
                return Ok(new.id);
            }
        }
    }

    async fn room_of_member(
        &self,
        schedule: &ScheduleEvent<'_>,
        sender: i64,
    ) -> Result<i64, ScheduleError> {
        let membership = match self.find_number(schedule.room_id).await? {
            Some(room) => memberships::find(&mut self.store.read(), room, sender).await?,
            None => None,
        };
        let joined = membership.filter(|found| found.membership == Membership::Join);
        let joined = joined.ok_or_else(|| ScheduleError::NotInRoom {
            sender: schedule.sender.to_string(),
            room_id: schedule.room_id.to_string(),
        })?;
        Ok(joined.room)
    }

    /// Requests that are made at the same time may together exceed the limit by a few.
    async fn check_count(&self, sender: i64) -> Result<(), ScheduleError> {
        let mut read = self.store.read();
        let (count, next_due_ms) = delayed_events::count_scheduled(&mut read, sender).await?;
        if count < SCHEDULED_MAX {
            return Ok(());
        }
        let wait_ms = next_due_ms.unwrap_or_default() - self.now_ms();
        Err(ScheduleError::TooMany {
            retry_after_ms: u64::try_from(wait_ms).unwrap_or_default().max(1),
        })
    }
}

/// What is wrong with an event whenever it is sent.
fn check(schedule: &ScheduleEvent<'_>, content: &str) -> Result<(), ScheduleError> {
    if schedule.delay_ms == 0 {
        return Err(ScheduleError::NoDelay);
    }
    if schedule.delay_ms > DELAY_MS_MAX {
        return Err(ScheduleError::DelayTooLong);
    }
    let invalid = |error| Err(ScheduleError::Invalid(error));
    if schedule.event_type.len() > ID_BYTES_MAX {
        return invalid(EventError::TooLong { key: "type" });
    }
    if schedule.state_key.unwrap_or_default().len() > ID_BYTES_MAX {
        return invalid(EventError::TooLong { key: "state_key" });
    }
    if content.len() > EVENT_BYTES_MAX {
        let bytes = content.len();
        return invalid(EventError::TooLarge { bytes });
    }
    Ok(())
}
