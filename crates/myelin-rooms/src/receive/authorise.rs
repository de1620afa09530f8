//! Whether an event may happen: by what it refers to, in the room as its sender saw it, and now.

use std::{collections::HashMap, sync::Arc};

use myelin_core::{
    auth::{self, AuthError, AuthEvent},
    event::Event,
    trie::{Lookup, Root, StateKey},
};
use myelin_store::{
    StoreError, StoreResult,
    events::{self, Status, StoredEvent},
    state_nodes,
};
use ruma::OwnedEventId;

use super::ReceiveError;
use crate::{append::auth_state, open_room::OpenRoom, policy::Standing};

/// What the rules say.
pub(super) enum Verdict {
    Allowed,
    /// It was allowed where its sender put it, and is not now.
    SoftFailed(String),
    Rejected(String),
}

type State = HashMap<(String, String), Arc<Event>>;

impl OpenRoom<'_> {
    /// Checks 4 to 6 of the specification's "Checks performed on receipt of a PDU".
    pub(super) async fn authorise(
        &mut self,
        event: &Event,
        root_before: Root,
    ) -> Result<Verdict, ReceiveError> {
        let head = self.locked.get();
        let head = head.ok_or(StoreError::Missing { table: "rooms" })?;
        let (version, root_now) = (head.version.clone(), head.root()?);
        let types = auth::auth_types(
            &version,
            event.type_str(),
            &event.sender,
            event.state_key.as_deref(),
            &event.content,
        );
        let types = match types {
            Ok(types) => types,
            Err(error) => return Ok(Verdict::Rejected(error.to_string())),
        };
        if let Err(error) = self.check_auth_events(event).await? {
            return Ok(Verdict::Rejected(error.to_string()));
        }
        let state = self.state_at(root_before, &types).await?;
        if let Err(error) = auth::check_dependent(&version, event, look_up(&state)) {
            return Ok(Verdict::Rejected(error.to_string()));
        }
        if root_before != root_now {
            let state = self.state_at(root_now, &types).await?;
            if let Err(error) = auth::check_dependent(&version, event, look_up(&state)) {
                return Ok(Verdict::SoftFailed(error.to_string()));
            }
        }
        Ok(Verdict::Allowed)
    }

    /// Whether an event that was refused by the room as it was then would be taken now.
    pub(crate) async fn allows_now(&mut self, stored: &StoredEvent) -> StoreResult<bool> {
        let head = self.locked.get();
        let head = head.ok_or(StoreError::Missing { table: "rooms" })?;
        let (event, root_now) = (head.read_event(stored)?, head.root()?);
        if !self.allows_at(&event, root_now).await? {
            return Ok(false);
        }
        let standing = self.standing_by_policy(&event, None).await?;
        Ok(matches!(standing, Standing::Recommended))
    }

    /// Whether a state allows an event, whatever the event refers to.
    pub(super) async fn allows_at(&mut self, event: &Event, root: Root) -> StoreResult<bool> {
        let head = self.locked.get();
        let head = head.ok_or(StoreError::Missing { table: "rooms" })?;
        let version = head.version.clone();
        let types = auth::auth_types(
            &version,
            event.type_str(),
            &event.sender,
            event.state_key.as_deref(),
            &event.content,
        );
        let Ok(types) = types else {
            return Ok(false);
        };
        let state = self.state_at(root, &types).await?;
        Ok(auth::check_dependent(&version, event, look_up(&state)).is_ok())
    }

    /// The rules against the events that it refers to, which must be known.
    async fn check_auth_events(
        &mut self,
        event: &Event,
    ) -> Result<Result<(), AuthError>, ReceiveError> {
        let found = self.auth_events(event).await?;
        let head = self.locked.get();
        let head = head.ok_or(StoreError::Missing { table: "rooms" })?;
        let fetch = |id: &ruma::EventId| {
            let found = found.get(id).map(|(event, rejected)| (&**event, *rejected));
            let create = || {
                let create = head.create.as_deref()?;
                (create.event_id == id).then_some((create, false))
            };
            let (event, rejected) = found.or_else(create)?;
            Some(AuthEvent { event, rejected })
        };
        if let Err(error) = auth::check_independent(&head.version, event, fetch) {
            return Ok(Err(error));
        }
        let mut state = State::new();
        for (event, _) in found.values() {
            if let Some(key) = &event.state_key {
                let key = (event.type_str().to_owned(), key.clone());
                state.insert(key, Arc::clone(event));
            }
        }
        if let Some(create) = &head.create {
            let key = ("m.room.create".to_owned(), String::new());
            state.entry(key).or_insert_with(|| Arc::clone(create));
        }
        let checked = auth::check_dependent(&head.version, event, look_up(&state));
        Ok(checked)
    }

    /// The events in `auth_events`, each with whether it was rejected.
    async fn auth_events(
        &mut self,
        event: &Event,
    ) -> Result<HashMap<OwnedEventId, (Arc<Event>, bool)>, ReceiveError> {
        let head = self.locked.get();
        let head = head.ok_or(StoreError::Missing { table: "rooms" })?;
        let mut found = HashMap::new();
        for known in head.remembered() {
            if event.auth_events.contains(&known.event_id) {
                found.insert(known.event_id.clone(), (Arc::clone(known), false));
            }
        }
        let unmet = |found: &HashMap<OwnedEventId, _>| -> Vec<OwnedEventId> {
            let ids = event.auth_events.iter();
            ids.filter(|id| !found.contains_key(*id)).cloned().collect()
        };
        let wanted = unmet(&found);
        let ids: Vec<&str> = wanted.iter().map(|id| id.as_str()).collect();
        for stored in events::list_by_ids(&mut self.read, &ids).await? {
            let rejected = stored.status == Status::Rejected;
            let known = head.read_event(&stored)?;
            found.insert(known.event_id.clone(), (Arc::new(known), rejected));
        }
        let missing = unmet(&found);
        if missing.is_empty() {
            Ok(found)
        } else {
            Err(ReceiveError::MissingAuth(missing))
        }
    }

    /// The state events of these types and state keys at a root, and the create event.
    async fn state_at(&mut self, root: Root, types: &[(String, String)]) -> StoreResult<State> {
        let rooms = self.rooms;
        let head = self.locked.get();
        let head = head.ok_or(StoreError::Missing { table: "rooms" })?;
        if root == head.root()? {
            return auth_state(rooms, head, &mut self.read, types.to_vec()).await;
        }
        let create = ("m.room.create".to_owned(), String::new());
        let mut names = vec![&create];
        names.extend(types.iter().filter(|name| **name != create));
        let (mut known, mut keys) = (Vec::new(), Vec::new());
        for name in names {
            let event_type = rooms.store.find_interned(name.0.as_bytes()).await?;
            let state_key = rooms.store.find_interned(name.1.as_bytes()).await?;
            if let (Some(event_type), Some(state_key)) = (event_type, state_key) {
                known.push(name.clone());
                keys.push(StateKey {
                    event_type,
                    state_key,
                });
            }
        }
        let lookup = Lookup::new(root, &keys).map_err(|error| crate::state::corrupt(&error))?;
        let read = &mut self.read;
        let room = head.row.room;
        let numbers = state_nodes::drive(&rooms.store, read, room, &head.pending, lookup).await?;
        let mut state = State::new();
        for (name, number) in known.into_iter().zip(numbers) {
            if let Some(number) = number {
                state.insert(name, head.load_event(read, number).await?);
            }
        }
        Ok(state)
    }
}

fn look_up<'a>(state: &'a State) -> impl Fn(&str, &str) -> Option<&'a Event> {
    |kind, key| {
        state
            .get(&(kind.to_owned(), key.to_owned()))
            .map(Arc::as_ref)
    }
}
