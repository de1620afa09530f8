//! Taking a user out of a room for good.

use myelin_store::StoreResult;
use ruma::{RoomId, UserId};

use crate::{Leave, LeaveError, Rooms};

impl Rooms {
    /// Takes a user out of one room; where the room does not let them go, they stay.
    pub(super) async fn leave_for_good(&self, user: &UserId, room_id: &RoomId) -> StoreResult<()> {
        let leave = Leave {
            room_id,
            user,
            reason: None,
            transaction: None,
        };
        match self.leave(leave).await {
            Ok(()) => Ok(()),
            Err(LeaveError::Store(error)) => Err(error),
            Err(refused) => {
                tracing::debug!(%user, %room_id, %refused, "not left");
                Ok(())
            }
        }
    }
}
