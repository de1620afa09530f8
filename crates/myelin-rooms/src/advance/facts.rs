//! What the public directory shows of a room's state.

use myelin_core::{
    event::Event,
    trie::{
        TYPE_AVATAR, TYPE_CANONICAL_ALIAS, TYPE_CREATE, TYPE_GUEST_ACCESS, TYPE_HISTORY_VISIBILITY,
        TYPE_JOIN_RULES, TYPE_NAME, TYPE_TOPIC,
    },
};
use myelin_store::{
    WriteSet,
    room_facts::{self, Fact},
};
use serde_json::Value;

/// The longest text that is shown: a longer one is cut, so that a page stays a page.
const SHOWN_BYTES_MAX: usize = 4_096;

/// The fact that the state events of a type with an empty state key are about, and the key of
/// their content that holds it.
pub(crate) fn fact(event_type: i64) -> Option<(Fact, &'static str)> {
    Some(match event_type {
        TYPE_NAME => (Fact::Name, "name"),
        TYPE_TOPIC => (Fact::Topic, "topic"),
        TYPE_AVATAR => (Fact::Avatar, "url"),
        TYPE_CANONICAL_ALIAS => (Fact::CanonicalAlias, "alias"),
        TYPE_JOIN_RULES => (Fact::JoinRule, "join_rule"),
        TYPE_HISTORY_VISIBILITY => (Fact::HistoryVisibility, "history_visibility"),
        TYPE_GUEST_ACCESS => (Fact::GuestAccess, "guest_access"),
        TYPE_CREATE => (Fact::RoomType, "type"),
        _ => return None,
    })
}

/// Keeps what the directory shows beside a state event that has become the current one; None: there
/// is none any more.
pub(crate) fn record(writes: &mut WriteSet, room: i64, (event_type, event): (i64, Option<&Event>)) {
    let Some((fact, key)) = fact(event_type) else {
        return;
    };
    let content = event.map_or("{}", |event| event.content.get());
    let content: Value = serde_json::from_str(content).unwrap_or_default();
    let value = content[key].as_str().filter(|value| !value.is_empty());
    let value = value.map(|value| &value[..value.floor_char_boundary(SHOWN_BYTES_MAX)]);
    room_facts::put(writes, room, fact, value);
}
