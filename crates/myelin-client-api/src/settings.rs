//! What an operator may change about this API.

use ruma::RoomVersionId;

/// Fixed while the server runs.
#[derive(Clone, Debug)]
pub struct ClientApiSettings {
    /// The version of rooms whose creator names none.
    pub default_room_version: RoomVersionId,
    /// Whether anybody may read the public directory.
    pub public_rooms_without_login: bool,
}

impl Default for ClientApiSettings {
    fn default() -> Self {
        Self {
            default_room_version: RoomVersionId::V12,
            public_rooms_without_login: false,
        }
    }
}
