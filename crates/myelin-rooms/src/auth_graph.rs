//! Entering state events into the graph of auth events.

use std::{collections::HashMap, sync::Arc};

use myelin_core::{event::Event, resolution::AuthNode, trie::StateKey};
use myelin_store::{
    Read, StoreResult, WriteSet,
    auth_graph::{self, PendingPlaces},
};

use crate::{head::Head, numbers::EventNumbers};

/// Enters a state event that was accepted, or soft-failed, into the graph, in the set that stores it.
/// A rejected event must not be entered: that keeps it out of every resolution.
pub(crate) async fn enter(
    head: &mut Head,
    read: &mut Read,
    writes: &mut WriteSet,
    (event, number, numbers): (&Arc<Event>, i64, EventNumbers),
) -> StoreResult<()> {
    let Some(state_key) = numbers.state_key else {
        return Ok(());
    };
    let key = StateKey {
        event_type: numbers.event_type,
        state_key,
    };
    let pending = &head.pending_places;
    let place = find_place(read, pending, (event, number, key)).await?;
    auth_graph::insert(writes, &place);
    head.pending_places
        .insert(event.event_id.to_string(), place);
    Ok(())
}

/// The place of a state event, from those of its auth events.
pub(crate) async fn find_place(
    read: &mut Read,
    pending: &PendingPlaces,
    (event, number, key): (&Event, i64, StateKey),
) -> StoreResult<AuthNode> {
    let stored: Vec<&str> = event
        .auth_events
        .iter()
        .map(|id| id.as_str())
        .filter(|id| !pending.contains_key(*id))
        .collect();
    let stored = auth_graph::list_by_ids(read, &stored).await?;
    let stored: HashMap<String, AuthNode> = stored.into_iter().collect();
    let auth_events = event.auth_events.iter();
    let auth_events =
        auth_events.filter_map(|id| pending.get(id.as_str()).or(stored.get(id.as_str())));
    Ok(AuthNode::new(number, key, auth_events))
}
