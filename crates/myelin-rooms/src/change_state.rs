//! State that is made from the state before it, such as a change of one of the power levels.

use myelin_core::trie::StateKey;
use ruma::{CanonicalJsonObject, OwnedEventId, RoomId, UserId};
use serde_json::value::RawValue;

use crate::{
    Rooms, SendError, SendOptions,
    append::{Appended, Draft},
    numbers::EventNumbers,
};

/// A change of a state event that keeps what it does not name.
#[derive(Clone, Copy, Debug)]
pub struct ChangeState<'a> {
    /// The room.
    pub room_id: &'a RoomId,
    /// A local user.
    pub sender: &'a UserId,
    /// The event's type.
    pub event_type: &'a str,
    /// Its state key.
    pub state_key: &'a str,
}

/// From the content that the room has, if it has any, to the one that it shall have. None: nothing
/// is to change. An error is the reason why it cannot be made from this one.
pub type MakeContent<'a> =
    dyn Fn(Option<&RawValue>) -> Result<Option<CanonicalJsonObject>, String> + Sync + 'a;

/// Why state was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeStateError {
    /// What the room has does not allow this change.
    #[error("{0}")]
    Refused(String),
    /// The new state was not sent.
    #[error("{0}")]
    Send(SendError),
}

impl<E: Into<SendError>> From<E> for ChangeStateError {
    fn from(error: E) -> Self {
        Self::Send(error.into())
    }
}

impl Rooms {
    /// Sends a state event whose content is made from the newest one, however many others change
    /// it at the same time. Answers with its id; None if there was nothing to change.
    pub async fn change_state(
        &self,
        change: ChangeState<'_>,
        make: &MakeContent<'_>,
    ) -> Result<Option<OwnedEventId>, ChangeStateError> {
        let ChangeState {
            room_id,
            sender,
            event_type,
            state_key,
        } = change;
        let numbers =
            EventNumbers::intern(&self.store, event_type, sender, Some(state_key)).await?;
        let key = StateKey {
            event_type: numbers.event_type,
            state_key: numbers.state_key.unwrap_or_default(),
        };
        let mut draft = Draft {
            sender,
            event_type,
            state_key: Some(state_key),
            numbers,
            content: CanonicalJsonObject::new(),
            transaction: None,
            options: SendOptions::default(),
        };
        let mut attempts = self.store.attempts();
        loop {
            let mut room = self.open_joined(room_id, &draft).await?;
            let before = room.state(key).await?;
            let made = make(before.as_ref().map(|event| &*event.content));
            let Some(content) = made.map_err(ChangeStateError::Refused)? else {
                return Ok(None);
            };
            draft.content = content;
            let Appended { room, event, .. } = room.append(&draft).await?;
            if self.settle(room.submit()?).await?.is_some() {
                return Ok(Some(event.event_id.clone()));
            }
            attempts.conflict()?;
        }
    }
}
