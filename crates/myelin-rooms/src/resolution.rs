//! State resolution over stored data: what the state of a room is after several events that do not
//! know of each other. What is decided, and how, is `myelin_core::resolution`'s.

mod undone;

use std::{collections::HashMap, sync::Arc};

use myelin_core::{
    auth,
    event::{self, Event},
    resolution::{
        AuthKey, AuthNode, Citing, Found, Resolution, ResolutionError, StateEvent, Wanted,
    },
    trie::{Root, StateKey},
};
use myelin_store::{
    Read, StoreError, StoreResult,
    auth_graph::{self, PendingPlaces},
    events,
    events::StoredEvent,
    state_nodes::{self, PendingNodes},
};
use ruma::{OwnedEventId, RoomVersionId};

pub use myelin_core::resolution::Resolved;

use crate::Rooms;

/// Rows that are loaded by one statement.
const CHUNK: usize = 500;

/// Why there is no state.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The states cannot be resolved, today or later.
    #[error(transparent)]
    Resolution(#[from] ResolutionError),
    /// The database failed.
    #[error("the states could not be read")]
    Store(#[from] StoreError),
}

/// What belongs to the forks and is not in the database yet: it is in write sets on their way.
#[derive(Clone, Copy)]
pub struct Pending<'a> {
    /// Nodes of the states.
    pub nodes: &'a PendingNodes,
    /// State events.
    pub events: &'a HashMap<i64, Arc<Event>>,
    /// Their places in the graph of auth events.
    pub places: &'a PendingPlaces,
}

impl Rooms {
    /// The state that these states of a room resolve to, in any order. The caller writes its new nodes.
    ///
    /// Cost: that of their differences, however large the room is.
    pub async fn resolve(
        &self,
        read: &mut Read,
        (room, version): (i64, &RoomVersionId),
        forks: &[Root],
        pending: Pending<'_>,
    ) -> Result<Resolved, ResolveError> {
        let mut resolution = Resolution::new(version, forks)?;
        let mut loader = Loader {
            rooms: self,
            read,
            room,
            version,
            pending,
        };
        loop {
            let wanted = resolution.wanted();
            if wanted.is_empty() {
                return Ok(resolution.finish()?);
            }
            resolution.supply(loader.load(wanted).await?)?;
        }
    }
}

/// Loads what a resolution wants.
struct Loader<'a> {
    rooms: &'a Rooms,
    read: &'a mut Read,
    room: i64,
    version: &'a RoomVersionId,
    pending: Pending<'a>,
}

impl Loader<'_> {
    async fn load(&mut self, wanted: Wanted) -> StoreResult<Found> {
        let (store, place) = (&self.rooms.store, (self.room, self.pending.nodes));
        Ok(Found {
            nodes: state_nodes::load(store, self.read, place, wanted.nodes).await?,
            graph: self.places(&wanted.graph).await?,
            citing: self.citing(&wanted.citing).await?,
            events: self.events(&wanted.events).await?,
        })
    }

    async fn places(&mut self, wanted: &[i64]) -> StoreResult<Vec<AuthNode>> {
        let pending = self.pending.places.values();
        let mut places: Vec<AuthNode> = pending
            .filter(|place| wanted.contains(&place.event))
            .cloned()
            .collect();
        for chunk in wanted.chunks(CHUNK) {
            places.extend(auth_graph::list(self.read, chunk).await?);
        }
        Ok(places)
    }

    /// What cites an event and is not stored is told with the first of those that are.
    async fn citing(&mut self, wanted: &[Citing]) -> StoreResult<Vec<(Citing, Vec<AuthNode>)>> {
        let mut found = Vec::with_capacity(wanted.len());
        for chunk in wanted.chunks(CHUNK) {
            found.extend(auth_graph::list_citing(self.read, chunk).await?);
        }
        let pending = self.pending.places.values();
        for place in pending {
            let cites = |question: &Citing| place.auth_events.contains(&question.event);
            // Only what was asked for is told with it.
            found.retain(|(question, _)| wanted.contains(question) || !cites(question));
            let first = found.iter_mut();
            let first = first.filter(|(it, _)| it.before.is_none() && cites(it));
            first.for_each(|(_, places)| places.insert(0, place.clone()));
        }
        Ok(found)
    }

    async fn events(&mut self, wanted: &[i64]) -> StoreResult<Vec<StateEvent>> {
        let mut found = Vec::with_capacity(wanted.len());
        let pending = self.pending.events;
        for number in wanted {
            if let Some(event) = pending.get(number) {
                found.push(self.state_event(*number, Arc::clone(event)).await?);
            }
        }
        let stored = wanted.iter().filter(|number| !pending.contains_key(number));
        let stored: Vec<i64> = stored.copied().collect();
        for chunk in stored.chunks(CHUNK) {
            for stored in events::list(self.read, chunk).await? {
                let event = Arc::new(read_event(&stored, self.version)?);
                found.push(self.state_event(stored.event, event).await?);
            }
        }
        Ok(found)
    }

    async fn state_event(&mut self, number: i64, event: Arc<Event>) -> StoreResult<StateEvent> {
        let types = auth::auth_types(
            self.version,
            event.type_str(),
            &event.sender,
            event.state_key.as_deref(),
            &event.content,
        );
        let auth_keys = match types {
            // The rules do not allow what they cannot name the state for.
            Err(_) => None,
            Ok(mut types) => {
                let create = ("m.room.create".to_owned(), String::new());
                if !types.contains(&create) {
                    types.push(create);
                }
                Some(self.auth_keys(types).await?)
            }
        };
        Ok(StateEvent {
            number,
            event,
            auth_keys,
        })
    }

    async fn auth_keys(&mut self, types: Vec<(String, String)>) -> StoreResult<Vec<AuthKey>> {
        let store = &self.rooms.store;
        let mut keys = Vec::with_capacity(types.len());
        for (event_type, state_key) in types {
            let numbers = (
                store.find_interned(event_type.as_bytes()).await?,
                store.find_interned(state_key.as_bytes()).await?,
            );
            let key = match numbers {
                (Some(event_type), Some(state_key)) => Some(StateKey {
                    event_type,
                    state_key,
                }),
                _ => None,
            };
            keys.push(AuthKey {
                event_type,
                state_key,
                key,
            });
        }
        Ok(keys)
    }
}

fn read_event(stored: &StoredEvent, version: &RoomVersionId) -> StoreResult<Event> {
    let corrupt = |error: String| StoreError::Corrupt {
        table: "events",
        column: 0,
        wanted: "an event",
        found: error,
    };
    let id = OwnedEventId::try_from(stored.id.as_str()).map_err(|it| corrupt(it.to_string()))?;
    event::from_stored(&stored.json, id, version).map_err(|error| corrupt(error.to_string()))
}
