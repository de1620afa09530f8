//! Sending a delayed event, whether its time has come or its sender does not want to wait.

use myelin_core::json;
use myelin_store::{
    StoreError, WriteSet,
    delayed_events::{self, DelayedEvent, End, Outcome},
    events, users,
};
use ruma::{CanonicalJsonObject, OwnedEventId, OwnedRoomId, OwnedUserId};

use crate::{AppendError, Rooms, SendError, SendEvent, SendOptions, SetState, numbers::parse};

/// Why a delayed event was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendDelayedError {
    /// Its sender's account is deactivated.
    #[error("this account is deactivated")]
    Deactivated,
    /// Its sender's account is locked.
    #[error("this account is locked")]
    Locked,
    /// Its sender's account is suspended.
    #[error("you cannot do this while your account is suspended")]
    Suspended,
    /// It was sent, cancelled or restarted meanwhile.
    #[error("the delayed event has been changed meanwhile")]
    Changed,
    /// The event cannot be sent.
    #[error("{0}")]
    Send(SendError),
    /// The database failed.
    #[error("the delayed event could not be sent")]
    Store(#[from] StoreError),
}

impl From<SendError> for SendDelayedError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Append(AppendError::DelayedEventChanged) => Self::Changed,
            SendError::Store(error) => Self::Store(error),
            other => Self::Send(other),
        }
    }
}

/// What a delayed event names.
struct Named {
    room_id: OwnedRoomId,
    sender: OwnedUserId,
    event_type: String,
    state_key: Option<String>,
}

impl Rooms {
    /// Sends a delayed event as it was read, and ends it in the same commit.
    pub(super) async fn send_delayed(
        &self,
        delayed: &DelayedEvent,
    ) -> Result<(), SendDelayedError> {
        let named = self.named_in(delayed).await?;
        let guest = self.check_account(delayed, &named.event_type).await?;
        let content = content_of(delayed)?;
        let (room_id, sender, event_type) = (&*named.room_id, &*named.sender, &*named.event_type);
        let options = SendOptions {
            delayed: Some(delayed),
            sticky_ms: delayed.sticky_ms.and_then(|ms| u32::try_from(ms).ok()),
        };
        let sent = match &named.state_key {
            None => {
                let send = SendEvent {
                    room_id,
                    sender,
                    event_type,
                    content,
                    transaction: None,
                    acting: None,
                    options,
                };
                self.send(send).await
            }
            Some(state_key) => {
                let set = SetState {
                    room_id,
                    sender,
                    event_type,
                    state_key,
                    content,
                    guest,
                    options,
                };
                self.set_state(set).await
            }
        };
        self.end_with(delayed, &sent?).await
    }

    /// Ends a delayed event where no set of ours has: what it says was the room's state already, or
    /// another server has put it into the room. Should this be cut off, it is the room's state when
    /// it is tried again.
    async fn end_with(
        &self,
        delayed: &DelayedEvent,
        event_id: &OwnedEventId,
    ) -> Result<(), SendDelayedError> {
        let mut read = self.store.read();
        let found = delayed_events::find(&mut read, delayed.id).await?;
        let waits = found.filter(|found| found.version == delayed.version);
        let Some(waits) = waits else {
            return Ok(());
        };
        let number = events::find_number(&mut read, event_id.as_str()).await?;
        let number = number.ok_or(StoreError::Missing { table: "events" })?;
        let mut writes = WriteSet::new();
        let (at_ms, outcome) = (self.now_ms(), Outcome::Sent(number));
        delayed_events::finalise(&mut writes, &waits, End { at_ms, outcome });
        match self.store.commit(writes).await {
            Ok(_) => Ok(()),
            Err(StoreError::Conflict) => Err(SendDelayedError::Changed),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the sender may still speak; and whether it is a guest who does.
    async fn check_account(
        &self,
        delayed: &DelayedEvent,
        event_type: &str,
    ) -> Result<bool, SendDelayedError> {
        let account = users::find(&mut self.store.read(), delayed.sender).await?;
        let account = account.ok_or(StoreError::Missing { table: "users" })?;
        if account.deactivated_ms.is_some() {
            return Err(SendDelayedError::Deactivated);
        }
        if account.locked {
            return Err(SendDelayedError::Locked);
        }
        // Their own events they may redact; that is looked at where redactions are made.
        if account.suspended && event_type != "m.room.redaction" {
            return Err(SendDelayedError::Suspended);
        }
        Ok(account.guest)
    }

    async fn named_in(&self, delayed: &DelayedEvent) -> Result<Named, StoreError> {
        let mut numbers = vec![delayed.room, delayed.sender, delayed.event_type];
        numbers.extend(delayed.state_key);
        let mut names = self.store.interned(&numbers).await?.into_iter();
        let mut next = || {
            names
                .next()
                .ok_or(StoreError::Missing { table: "interned" })
        };
        let missing = || StoreError::Missing { table: "interned" };
        Ok(Named {
            room_id: parse(&next()?).ok_or_else(missing)?,
            sender: parse(&next()?).ok_or_else(missing)?,
            event_type: String::from_utf8_lossy(&next()?).into_owned(),
            state_key: match delayed.state_key {
                Some(_) => Some(String::from_utf8_lossy(&next()?).into_owned()),
                None => None,
            },
        })
    }
}

fn content_of(delayed: &DelayedEvent) -> Result<CanonicalJsonObject, StoreError> {
    json::parse_object(&delayed.content).map_err(|error| StoreError::Corrupt {
        table: "delayed_events",
        column: 6,
        wanted: "the content of an event",
        found: error.to_string(),
    })
}
