//! What an operator may change about this API.

use myelin_rooms::ServerNotices;
use ruma::RoomVersionId;

/// Fixed while the server runs.
#[derive(Clone, Debug)]
pub struct ClientApiSettings {
    /// The version of rooms whose creator names none.
    pub default_room_version: RoomVersionId,
    /// Whether anybody may read the public directory.
    pub public_rooms_without_login: bool,
    /// How the server tells its users something, if it may.
    pub server_notices: Option<ServerNotices>,
}

impl Default for ClientApiSettings {
    fn default() -> Self {
        Self {
            default_room_version: RoomVersionId::V12,
            public_rooms_without_login: false,
            server_notices: None,
        }
    }
}
