//! Who may read a room.

use bytes::Bytes;
use myelin_core::membership::Membership;
use myelin_store::{Read, StoreError, memberships, rooms};
use ruma::{RoomId, UserId};

use crate::Rooms;

/// What a user may read of a room: everything up to now, for its members.
#[derive(Clone, Debug)]
pub struct RoomAccess {
    /// The interned room id.
    pub room: i64,
    /// The root of the current state.
    pub root: Bytes,
    /// The room order of the newest event.
    pub newest: i64,
    /// The number of the newest event.
    pub newest_event: i64,
}

/// Why a room may not be read.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// There is no such room here, or the user is not in it: which of the two is not told.
    #[error("{user} is not in the room {room_id}")]
    NotInRoom {
        /// Who wanted to read.
        user: String,
        /// Which room.
        room_id: String,
    },
    /// The database failed.
    #[error("the room could not be read")]
    Store(#[from] StoreError),
}

impl Rooms {
    /// What a user may read of a room now.
    pub async fn access(
        &self,
        read: &mut Read,
        room_id: &RoomId,
        user: &UserId,
    ) -> Result<RoomAccess, AccessError> {
        let refused = || AccessError::NotInRoom {
            user: user.to_string(),
            room_id: room_id.to_string(),
        };
        let room = self.find_number(room_id).await?.ok_or_else(refused)?;
        let number = self
            .store
            .find_interned(user.as_bytes())
            .await?
            .ok_or_else(refused)?;
        let membership = memberships::find(read, room, number).await?;
        if membership.is_none_or(|found| found.membership != Membership::Join) {
            return Err(refused());
        }
        let row = rooms::find(read, room).await?.ok_or_else(refused)?;
        Ok(RoomAccess {
            room,
            root: row.root,
            newest: row.room_order,
            newest_event: row.version,
        })
    }
}
