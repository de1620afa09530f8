//! The states of a stretch: read, found and made.

use std::{collections::HashMap, sync::Arc};

use myelin_core::{
    event::{self, Event},
    trie::{Lookup, Machine, Root, StateKey},
};
use myelin_store::{
    StoreError, StoreResult,
    events::{self, Status, StoredEvent},
    gaps::Gap,
    state_nodes,
};
use ruma::OwnedEventId;

use super::{
    judge::Judge,
    stretch::{Part, Piece},
};
use crate::{
    Pending, ResolveError,
    advance::apply,
    state::{corrupt, parse},
};

impl Judge<'_> {
    /// Finds the states that follow from what is known above the gap: where an event comes after
    /// one alone, the state before it is the one after that. It goes on from there as long as no
    /// state changes.
    pub(super) async fn go_down(&mut self, gap: &Gap) -> StoreResult<()> {
        let above = events::list_from(&mut self.read, gap.room, gap.upper, 1).await?;
        let Some(above) = above.into_iter().next() else {
            return Ok(());
        };
        let event = self.read_event(&above)?;
        let mut after: HashMap<OwnedEventId, Root> = HashMap::new();
        if let [only] = &*event.prev_events {
            after.insert(only.clone(), parse(&above.root_before)?);
        }
        for (index, piece) in self.pieces.iter().enumerate() {
            let changes = piece.part == Part::New || piece.part == Part::Refused;
            let before = match &piece.stored {
                Some(stored) if piece.part == Part::Refused => Some(parse(&stored.root_before)?),
                _ if changes && piece.event.is_state() => None,
                _ => after.get(&piece.event.event_id).copied(),
            };
            self.before[index] = before;
            if let (Some(before), [only]) = (before, &*piece.event.prev_events) {
                after.entry(only.clone()).or_insert(before);
            }
        }
        Ok(())
    }

    /// The state before a piece, from the states after what it comes after. None: one of these is
    /// not known.
    pub(super) async fn root_before(&mut self, index: usize) -> StoreResult<Option<Root>> {
        let pieces: &[Piece] = self.pieces;
        let mut roots = Vec::new();
        for id in &pieces[index].event.prev_events {
            let known = match self.indices.get(&**id) {
                Some(index) => self.after[*index],
                None => self.root_after_known(id.as_str()).await?,
            };
            let Some(root) = known else {
                return Ok(None);
            };
            if !roots.contains(&root) {
                roots.push(root);
            }
        }
        match &roots[..] {
            // Before what comes after nothing there was nothing.
            [] => Ok(Some(Root(None))),
            [root] => Ok(Some(*root)),
            roots => self.resolve(roots).await,
        }
    }

    async fn root_after_known(&mut self, id: &str) -> StoreResult<Option<Root>> {
        let Some(known) = self.known.get(id) else {
            return Ok(None);
        };
        let before = parse(&known.root_before)?;
        let counts = matches!(known.status, Status::Accepted | Status::SoftFailed);
        let Some(state_key) = known.state_key.filter(|_| counts) else {
            return Ok(Some(before));
        };
        let key = StateKey {
            event_type: known.event_type,
            state_key,
        };
        let number = known.event;
        Ok(Some(self.apply(before, (key, number)).await?))
    }

    async fn resolve(&mut self, roots: &[Root]) -> StoreResult<Option<Root>> {
        let pending = Pending {
            nodes: &self.nodes,
            events: &self.events,
            places: &self.places,
        };
        let room = (self.place.room, &self.place.version);
        let resolved = self
            .rooms
            .resolve(&mut self.read, room, roots, pending)
            .await;
        match resolved {
            Ok(resolved) => {
                self.keep(resolved.nodes);
                Ok(Some(resolved.root))
            }
            Err(ResolveError::Store(error)) => Err(error),
            Err(ResolveError::Resolution(error)) => {
                let room_id = &self.place.room_id;
                tracing::debug!(%room_id, %error, "states of a room's history cannot be resolved");
                Ok(None)
            }
        }
    }

    /// The state after an event has entered it.
    pub(super) async fn apply(
        &mut self,
        root: Root,
        (key, number): (StateKey, i64),
    ) -> StoreResult<Root> {
        let machine = apply(root, key, number)?;
        let (root, nodes) = self.drive(machine).await?;
        self.keep(nodes);
        Ok(root)
    }

    fn keep(&mut self, nodes: Vec<(myelin_core::trie::NodeHash, Vec<u8>)>) {
        for (hash, node) in nodes {
            self.nodes.entry(hash).or_insert_with(|| Arc::from(node));
        }
    }

    async fn drive<M: Machine>(&mut self, machine: M) -> StoreResult<M::Output> {
        let (store, room) = (&self.rooms.store, self.place.room);
        state_nodes::drive(store, &mut self.read, room, &self.nodes, machine).await
    }

    /// The state events of these names at a root, and the create event.
    pub(super) async fn state_at(
        &mut self,
        root: Root,
        mut names: Vec<(String, String)>,
    ) -> StoreResult<HashMap<(String, String), Arc<Event>>> {
        let create = ("m.room.create".to_owned(), String::new());
        if !names.contains(&create) {
            names.push(create);
        }
        let (mut known, mut keys) = (Vec::new(), Vec::new());
        for name in names {
            let store = &self.rooms.store;
            let event_type = store.find_interned(name.0.as_bytes()).await?;
            let state_key = store.find_interned(name.1.as_bytes()).await?;
            if let (Some(event_type), Some(state_key)) = (event_type, state_key) {
                known.push(name);
                keys.push(StateKey {
                    event_type,
                    state_key,
                });
            }
        }
        let numbers = self.find_state(root, &keys).await?;
        let mut state = HashMap::new();
        for (name, number) in known.into_iter().zip(numbers) {
            if let Some(number) = number {
                state.insert(name, self.load_event(number).await?);
            }
        }
        Ok(state)
    }

    /// The numbers of the state events with these keys at a root. One room's history asks for the
    /// same ones again and again.
    pub(super) async fn find_state(
        &mut self,
        root: Root,
        keys: &[StateKey],
    ) -> StoreResult<Vec<Option<i64>>> {
        let new: Vec<StateKey> = keys
            .iter()
            .filter(|key| !self.found.contains_key(&(root, **key)))
            .copied()
            .collect();
        if !new.is_empty() {
            let lookup = Lookup::new(root, &new).map_err(|error| corrupt(&error))?;
            let numbers = self.drive(lookup).await?;
            for (key, number) in new.into_iter().zip(numbers) {
                self.found.insert((root, key), number);
            }
        }
        let found = keys.iter().map(|key| self.found.get(&(root, *key)));
        Ok(found.map(|found| found.copied().flatten()).collect())
    }

    pub(super) async fn load_event(&mut self, number: i64) -> StoreResult<Arc<Event>> {
        if let Some(event) = self.events.get(&number) {
            return Ok(Arc::clone(event));
        }
        let stored = events::find(&mut self.read, number).await?;
        let stored = stored.ok_or(StoreError::Missing { table: "events" })?;
        let event = self.read_event(&stored)?;
        self.events.insert(number, Arc::clone(&event));
        Ok(event)
    }

    pub(super) fn read_event(&self, stored: &StoredEvent) -> StoreResult<Arc<Event>> {
        let corrupt = |found: String| StoreError::Corrupt {
            table: "events",
            column: 12,
            wanted: "an event",
            found,
        };
        let id = OwnedEventId::try_from(stored.id.as_str());
        let id = id.map_err(|error| corrupt(error.to_string()))?;
        let event = event::from_stored(&stored.json, id, &self.place.version);
        Ok(Arc::new(event.map_err(|error| corrupt(error.to_string()))?))
    }
}
