//! The state that the rules look at.

use std::{collections::HashMap, sync::Arc};

use myelin_core::{
    auth,
    event::{Event, EventError},
    json,
    trie::StateKey,
};
use myelin_store::{Read, StoreResult};
use ruma::{CanonicalJsonObject, OwnedEventId};
use serde_json::value::RawValue;

use super::{AppendError, Draft};
use crate::{
    Rooms,
    head::{Head, StateEvent},
};

/// The types and state keys of the state events that decide about a draft.
pub(super) fn auth_types(
    head: &Head,
    draft: &Draft<'_>,
) -> Result<Vec<(String, String)>, AppendError> {
    let content = raw(&draft.content)?;
    auth::auth_types(
        &head.version,
        draft.event_type,
        draft.sender,
        draft.state_key,
        &content,
    )
    .map_err(AppendError::Forbidden)
}

/// A content as JSON.
pub(super) fn raw(content: &CanonicalJsonObject) -> Result<Box<RawValue>, AppendError> {
    let raw = RawValue::from_string(json::to_canonical(content)).map_err(EventError::Stored);
    raw.map_err(AppendError::Invalid)
}

/// The state events at the head of these types and state keys, and the create event.
pub(crate) async fn auth_state(
    rooms: &Rooms,
    head: &mut Head,
    read: &mut Read,
    types: Vec<(String, String)>,
) -> StoreResult<HashMap<(String, String), Arc<Event>>> {
    let mut state = HashMap::with_capacity(types.len() + 1);
    if let Some(create) = &head.create {
        // Needed by the rules of every version, though version 12 does not list it in `auth_events`.
        state.insert(
            ("m.room.create".to_owned(), String::new()),
            Arc::clone(create),
        );
    }
    for (kind, key) in types {
        let found = match (kind.as_str(), key.as_str()) {
            ("m.room.create", "") => head.create.clone(),
            ("m.room.power_levels", "") => head.power_levels.clone(),
            ("m.room.join_rules", "") => head.join_rules.clone(),
            ("m.room.member", user) => {
                let number = rooms.store.find_interned(user.as_bytes()).await?;
                match number {
                    Some(number) => head.member(read, number).await?,
                    None => None,
                }
            }
            _ => other_state(rooms, head, read, &kind, &key).await?,
        };
        if let Some(event) = found {
            state.insert((kind, key), event);
        }
    }
    Ok(state)
}

async fn other_state(
    rooms: &Rooms,
    head: &mut Head,
    read: &mut Read,
    kind: &str,
    key: &str,
) -> StoreResult<StateEvent> {
    let event_type = rooms.store.find_interned(kind.as_bytes()).await?;
    let state_key = rooms.store.find_interned(key.as_bytes()).await?;
    let (Some(event_type), Some(state_key)) = (event_type, state_key) else {
        return Ok(None);
    };
    let found = head
        .find_state(
            &rooms.store,
            read,
            &[StateKey {
                event_type,
                state_key,
            }],
        )
        .await?;
    Ok(found.into_iter().next().flatten())
}

/// The ids for `auth_events`; the create event is not among them where the room id names it.
pub(super) fn auth_event_ids(
    head: &Head,
    state: &HashMap<(String, String), Arc<Event>>,
) -> Vec<OwnedEventId> {
    let implied = head
        .version
        .rules()
        .is_some_and(|rules| rules.authorization.room_create_event_id_as_room_id);
    let mut ids: Vec<_> = state
        .iter()
        .filter(|((kind, _), _)| !(implied && kind == "m.room.create"))
        .map(|(_, event)| event.event_id.clone())
        .collect();
    // The map's order is not the same twice, and the ids are hashed into the event.
    ids.sort();
    ids
}
