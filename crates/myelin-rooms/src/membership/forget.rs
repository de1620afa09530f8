//! Forgetting rooms that were left.

use myelin_core::membership::Membership;
use myelin_store::{StoreError, departures, forgotten_rooms};
use ruma::{RoomId, UserId};

use crate::Rooms;

/// Why a room was not forgotten.
#[derive(Debug, thiserror::Error)]
pub enum ForgetError {
    /// The user is in the room, invited, or has knocked.
    #[error("{user} is in the room {room_id}")]
    StillInRoom {
        /// Who wanted to forget.
        user: String,
        /// What.
        room_id: String,
    },
    /// The database failed.
    #[error("the membership could not be stored")]
    Store(#[from] StoreError),
}

impl Rooms {
    /// Hides a room from a user who has left it, or was thrown out, until they are invited, join
    /// or knock. Who was never in it has nothing to forget.
    pub async fn forget(&self, room_id: &RoomId, user: &UserId) -> Result<(), ForgetError> {
        let mut attempts = self.store.attempts();
        loop {
            let Some(number) = self.store.find_interned(user.as_bytes()).await? else {
                return Ok(());
            };
            let Some(mut room) = self.open(room_id).await? else {
                return Ok(());
            };
            if room.member(number).await?.is_none() {
                return Ok(());
            }
            match room.membership(number).await? {
                Membership::Leave | Membership::Ban => {}
                Membership::Join | Membership::Invite | Membership::Knock => {
                    return Err(ForgetError::StillInRoom {
                        user: user.to_string(),
                        room_id: room_id.to_string(),
                    });
                }
            }
            let of = room.number();
            forgotten_rooms::insert(&mut room.writes, number, of);
            departures::delete(&mut room.writes, of, number);
            // The room's row goes along unchanged: an invitation at the same time is not hidden.
            if self.settle(room.submit()?).await?.is_some() {
                return Ok(());
            }
            attempts.conflict()?;
        }
    }
}
