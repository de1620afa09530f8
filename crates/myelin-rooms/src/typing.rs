//! Typing notifications (spec: "Typing Notifications"): told at once, and never stored.

use std::time::Duration;

use myelin_store::StoreError;
use ruma::{RoomId, UserId};

use crate::Rooms;

/// Longest time for which one request may say that a user types.
const TIMEOUT_MAX: Duration = Duration::from_mins(2);
/// The time that counts where the client names none.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Why a user does not type in a room.
#[derive(Debug, thiserror::Error)]
pub enum TypingError {
    /// There is no such room here, or the user is not in it: which of the two is not told.
    #[error("{user} is not in the room {room_id}")]
    NotInRoom {
        /// Who types.
        user: String,
        /// Which room.
        room_id: String,
    },
    /// The database failed.
    #[error("the room could not be read")]
    Store(#[from] StoreError),
}

/// Whether a user types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typing {
    /// Not, or no longer.
    No,
    /// For this time, unless it is said again: at most two minutes, half a minute if none is named.
    For(Option<Duration>),
}

impl Rooms {
    /// Tells a room's members that a user types there.
    pub async fn set_typing(
        &self,
        room_id: &RoomId,
        user: &UserId,
        typing: Typing,
    ) -> Result<(), TypingError> {
        let mut read = self.store.read();
        let place = self.joined(&mut read, room_id, user).await?;
        let place = place.ok_or_else(|| TypingError::NotInRoom {
            user: user.to_string(),
            room_id: room_id.to_string(),
        })?;
        let now_ms = i64::try_from(self.server.now_ms()).unwrap_or(i64::MAX);
        let until_ms = match typing {
            Typing::No => None,
            Typing::For(time) => {
                let time = time.unwrap_or(TIMEOUT).min(TIMEOUT_MAX);
                let time_ms = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
                Some(now_ms.saturating_add(time_ms)).filter(|_| time_ms > 0)
            }
        };
        self.store.live().set_typing(now_ms, place, until_ms);
        Ok(())
    }
}
