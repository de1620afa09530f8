//! The place of a state event in the graph of auth events.

use crate::trie::{EMPTY_STATE_KEY, StateKey, TYPE_POWER_LEVELS};

/// What the graph of auth events knows of an accepted state event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthNode {
    /// The event's number.
    pub event: i64,
    /// What it sets.
    pub key: StateKey,
    /// 0 without auth events, else one more than the greatest generation among them: no event is in
    /// the auth chain of one whose generation is not greater.
    pub generation: i64,
    /// The `m.room.power_levels` event among its auth events.
    pub power_levels: Option<i64>,
    /// Its auth events, those that were accepted.
    pub auth_events: Vec<i64>,
}

impl AuthNode {
    /// The place of an event with these auth events.
    pub fn new<'a>(
        event: i64,
        key: StateKey,
        auth_events: impl IntoIterator<Item = &'a AuthNode>,
    ) -> AuthNode {
        let mut node = AuthNode {
            event,
            key,
            generation: 0,
            power_levels: None,
            auth_events: Vec::new(),
        };
        for auth_event in auth_events {
            if node.auth_events.contains(&auth_event.event) {
                continue;
            }
            node.auth_events.push(auth_event.event);
            node.generation = node.generation.max(auth_event.generation + 1);
            if auth_event.key == POWER_LEVELS && node.power_levels.is_none() {
                node.power_levels = Some(auth_event.event);
            }
        }
        node
    }
}

/// The key of the room's power levels.
pub(super) const POWER_LEVELS: StateKey = StateKey {
    event_type: TYPE_POWER_LEVELS,
    state_key: EMPTY_STATE_KEY,
};
