//! A summary on the wire, in both directions.

use bytes::Bytes;
use ruma::OwnedRoomId;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::RoomSummary;

/// Rooms whose members may join that are taken from another server's summary.
const ALLOWED_MAX: usize = 50;

/// A summary as another server tells it.
#[derive(Deserialize)]
struct Told {
    room_id: OwnedRoomId,
    #[serde(default)]
    num_joined_members: u32,
    name: Option<String>,
    topic: Option<String>,
    avatar_url: Option<String>,
    canonical_alias: Option<String>,
    join_rule: Option<String>,
    allowed_room_ids: Option<Vec<String>>,
    world_readable: bool,
    guest_can_join: bool,
    room_type: Option<String>,
    encryption: Option<String>,
    room_version: Option<String>,
}

impl RoomSummary {
    /// The summary as clients and servers are told it.
    pub fn to_object(&self) -> Map<String, Value> {
        let mut object = Map::new();
        let mut insert = |key: &str, value: Value| object.insert(key.to_owned(), value);
        insert("room_id", self.room_id.as_str().into());
        insert("num_joined_members", self.joined.into());
        insert("join_rule", self.join_rule.as_str().into());
        insert("world_readable", self.world_readable.into());
        insert("guest_can_join", self.guest_can_join.into());
        if !self.allowed_room_ids.is_empty() {
            let ids = self.allowed_room_ids.iter();
            let ids: Vec<&str> = ids.map(|id| id.as_str()).collect();
            insert("allowed_room_ids", ids.into());
        }
        for (key, value) in [
            ("name", &self.name),
            ("topic", &self.topic),
            ("avatar_url", &self.avatar_url),
            ("canonical_alias", &self.canonical_alias),
            ("room_type", &self.room_type),
            ("encryption", &self.encryption),
            ("room_version", &self.room_version),
        ] {
            if let Some(value) = value {
                insert(key, value.as_str().into());
            }
        }
        object
    }

    /// What another server tells of a room; None if it makes no sense. Of what it has told, only
    /// what a summary consists of is kept.
    pub(super) fn of_told(told: Value) -> Option<Self> {
        let told: Told = serde_json::from_value(told).ok()?;
        let allowed = told.allowed_room_ids.unwrap_or_default();
        let allowed = allowed.iter().take(ALLOWED_MAX);
        Some(Self {
            room: None,
            room_id: told.room_id,
            room_version: told.room_version,
            joined: told.num_joined_members.into(),
            name: told.name,
            topic: told.topic,
            avatar_url: told.avatar_url,
            canonical_alias: told.canonical_alias,
            // Spec: "When not present, the room is assumed to be `public`."
            join_rule: told.join_rule.unwrap_or_else(|| "public".to_owned()),
            allowed_room_ids: allowed
                .filter_map(|id| id.as_str().try_into().ok())
                .collect(),
            world_readable: told.world_readable,
            guest_can_join: told.guest_can_join,
            room_type: told.room_type,
            encryption: told.encryption,
            root: Bytes::new(),
        })
    }
}
