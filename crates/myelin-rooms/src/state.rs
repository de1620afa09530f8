//! Reading the state of a room, at any root.

mod entries;

use bytes::Bytes;
use myelin_core::trie::{
    Changed, Difference, List, Lookup, Machine, Root, StateKey, TYPE_AVATAR, TYPE_CANONICAL_ALIAS,
    TYPE_CREATE, TYPE_ENCRYPTION, TYPE_JOIN_RULES, TYPE_NAME, TYPE_TOPIC, TrieError,
};
use myelin_store::{
    Read, StoreError, StoreResult,
    events::{self, StoredEvent},
    state_nodes::{self, PendingNodes},
};

use crate::Rooms;

/// The state that says what a room is (spec: "Stripped state"), the create event first.
pub(crate) const TOLD: [i64; 7] = [
    TYPE_CREATE,
    TYPE_NAME,
    TYPE_AVATAR,
    TYPE_TOPIC,
    TYPE_JOIN_RULES,
    TYPE_CANONICAL_ALIAS,
    TYPE_ENCRYPTION,
];

impl Rooms {
    /// All state events at a root. Cost: the size of the state.
    pub async fn state(
        &self,
        read: &mut Read,
        room: i64,
        root: &Bytes,
    ) -> StoreResult<Vec<StoredEvent>> {
        let entries = self.walk(read, room, List::all(parse(root)?)).await?;
        let numbers: Vec<i64> = entries.into_iter().map(|(_, number)| number).collect();
        self.load(read, &numbers).await
    }

    /// The state events of one type at a root. Cost: their number.
    pub async fn state_of_type(
        &self,
        read: &mut Read,
        (room, root): (i64, &Bytes),
        event_type: &str,
    ) -> StoreResult<Vec<StoredEvent>> {
        let Some(event_type) = self.store.find_interned(event_type.as_bytes()).await? else {
            return Ok(Vec::new());
        };
        let list = List::of_type(parse(root)?, event_type).map_err(|error| corrupt(&error))?;
        let entries = self.walk(read, room, list).await?;
        let numbers: Vec<i64> = entries.into_iter().map(|(_, number)| number).collect();
        self.load(read, &numbers).await
    }

    /// The state event with this type and key at a root.
    pub async fn state_event(
        &self,
        read: &mut Read,
        (room, root): (i64, &Bytes),
        event_type: &str,
        state_key: &str,
    ) -> StoreResult<Option<StoredEvent>> {
        let event_type = self.store.find_interned(event_type.as_bytes()).await?;
        let state_key = self.store.find_interned(state_key.as_bytes()).await?;
        let (Some(event_type), Some(state_key)) = (event_type, state_key) else {
            return Ok(None);
        };
        let lookup = Lookup::new(
            parse(root)?,
            &[StateKey {
                event_type,
                state_key,
            }],
        )
        .map_err(|error| corrupt(&error))?;
        match self
            .walk(read, room, lookup)
            .await?
            .into_iter()
            .next()
            .flatten()
        {
            Some(number) => events::find(read, number).await,
            None => Ok(None),
        }
    }

    /// The state events that `after` has and `before` has not. Cost: their difference.
    pub async fn state_changes(
        &self,
        read: &mut Read,
        room: i64,
        (before, after): (&Bytes, &Bytes),
    ) -> StoreResult<Vec<StoredEvent>> {
        let changes = self
            .walk(read, room, Difference::new(parse(before)?, parse(after)?))
            .await?;
        let numbers: Vec<i64> = changes
            .into_iter()
            .filter_map(|Changed { after, .. }| after)
            .collect();
        self.load(read, &numbers).await
    }

    /// Runs a machine over committed state.
    pub(crate) async fn walk<M: Machine>(
        &self,
        read: &mut Read,
        room: i64,
        machine: M,
    ) -> StoreResult<M::Output> {
        state_nodes::drive(&self.store, read, room, &PendingNodes::new(), machine).await
    }

    /// Events by number, in the order in which they entered the room.
    pub(crate) async fn load(
        &self,
        read: &mut Read,
        numbers: &[i64],
    ) -> StoreResult<Vec<StoredEvent>> {
        const CHUNK: usize = 500;
        let mut loaded = Vec::with_capacity(numbers.len());
        for chunk in numbers.chunks(CHUNK) {
            loaded.extend(events::list(read, chunk).await?);
        }
        if loaded.len() != numbers.len() {
            return Err(StoreError::Missing { table: "events" });
        }
        loaded.sort_by_key(|event| event.room_order);
        Ok(loaded)
    }
}

pub(crate) fn parse(root: &Bytes) -> StoreResult<Root> {
    Root::from_bytes(root).map_err(|error| corrupt(&error))
}

pub(crate) fn corrupt(error: &TrieError) -> StoreError {
    StoreError::Corrupt {
        table: "state_nodes",
        column: 1,
        wanted: "a state",
        found: error.to_string(),
    }
}
