//! The event that a room begins with, and the id that comes with it.

use std::sync::atomic::Ordering;

use myelin_core::{
    auth,
    event::{self, Event, NewEvent},
};
use myelin_store::{StoreError, rooms};
use ruma::{CanonicalJsonObject, OwnedRoomId, RoomId, RoomVersionId, UserId};

use crate::{AppendError, Rooms};

/// How far the times of create events may run ahead of the clock.
const AHEAD_MAX_MS: u64 = 10_000;
impl Rooms {
    /// A create event, of a room with this id where ids are not hashes of create events.
    pub(crate) fn first_event(
        &self,
        creator: &UserId,
        (version, room_id): (&RoomVersionId, Option<&RoomId>),
        content: CanonicalJsonObject,
    ) -> Result<Event, AppendError> {
        let new = NewEvent {
            room_id,
            sender: creator,
            event_type: "m.room.create",
            state_key: Some(""),
            content,
            redacts: None,
            sticky_ms: None,
            prev_events: &[],
            auth_events: &[],
            depth: 1,
            origin_server_ts: self.creation_time_ms(),
        };
        let event = event::create(new, version, &self.server).map_err(AppendError::Invalid)?;
        auth::check(version, &event, |_, _| None).map_err(AppendError::Forbidden)?;
        Ok(event)
    }

    /// A room id that nobody has, for the room versions in which ids are random.
    pub(crate) fn random_room_id(&self) -> Result<OwnedRoomId, StoreError> {
        let letters = self.server.random_letters(18);
        RoomId::parse(format!("!{letters}:{}", self.server.name)).map_err(|_| {
            StoreError::Malformed {
                table: "rooms",
                reason: "the server name makes no room id",
            }
        })
    }

    /// A time for a create event that no other of this node has. Since version 12 the event's hash
    /// is the room's id, so that two rooms made alike in one millisecond would be one.
    fn creation_time_ms(&self) -> u64 {
        let now_ms = self.server.now_ms();
        let next = |newest_ms: u64| {
            // A clock that was set back is followed, for times must not lie far ahead.
            let is_near = newest_ms <= now_ms + AHEAD_MAX_MS;
            if is_near {
                now_ms.max(newest_ms + 1)
            } else {
                now_ms
            }
        };
        let newest_ms = &self.newest_creation_ms;
        let update = |newest_ms| Some(next(newest_ms));
        let before_ms = newest_ms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, update);
        before_ms.map_or(now_ms, next)
    }
}

/// The row of a room without events.
pub(crate) fn empty_row(room: i64, version: &RoomVersionId) -> rooms::Room {
    rooms::Room {
        room,
        version: 0,
        room_version: version.to_string(),
        extremities: Vec::new(),
        depth: 0,
        room_order: 0,
        root: bytes::Bytes::new(),
        joined: 0,
        invited: 0,
        joined_remote: 0,
    }
}
