//! Room heads: what the next event of a room builds on, cached by each node.
//!
//! A head may be ahead of the database, by events whose sets are queued. Each set expects the
//! version, that is the newest event, of its predecessor; so when one falls, all that were built
//! on it fall too, and the head is dropped.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use myelin_core::{
    event::{self, Event},
    trie::{List, Lookup, Root, StateKey, TYPE_CREATE, TYPE_JOIN_RULES, TYPE_POWER_LEVELS},
};
use myelin_store::{
    EMPTY_STRING, LogKind, Read, Store, StoreError, StoreResult, auth_graph, events, memberships,
    rooms, state_nodes,
};
use parking_lot::Mutex;
use ruma::{OwnedEventId, RoomVersionId};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::numbers::policy_type;

/// Most member events that a head remembers; more are forgotten together.
const MEMBERS_MAX: usize = 1_024;
/// Most rooms whose heads a node remembers.
const HEADS_MAX: usize = 10_000;

/// A state event as the head remembers it.
pub(crate) type StateEvent = Option<Arc<Event>>;

/// What the next event of a room builds on.
pub(crate) struct Head {
    /// The room's row as it will be once everything queued is committed.
    pub(crate) row: rooms::Room,
    pub(crate) version: RoomVersionId,
    /// Tells this head from those loaded before and after it.
    pub(crate) generation: u64,
    pub(crate) create: StateEvent,
    pub(crate) power_levels: StateEvent,
    pub(crate) join_rules: StateEvent,
    /// What names the room's policy server.
    pub(crate) policy: StateEvent,
    /// The interned number of its type.
    pub(crate) policy_type: i64,
    members: HashMap<i64, StateEvent>,
    /// State nodes of queued sets, which the database does not have yet.
    pub(crate) pending: state_nodes::PendingNodes,
    /// State events of queued sets, by number, for the same reason.
    pub(crate) pending_events: HashMap<i64, Arc<Event>>,
    /// Where the state events of queued sets stand in the graph of auth events, for the same reason.
    pub(crate) pending_places: auth_graph::PendingPlaces,
    /// Events that queued sets redact, which the database still has whole.
    pub(crate) pending_redacted: HashSet<i64>,
    /// Sets that are queued and not answered.
    pub(crate) in_flight: usize,
}

/// The heads of a node.
#[derive(Default)]
pub(crate) struct Heads {
    slots: Mutex<HashMap<i64, Arc<Slot>>>,
    generations: AtomicU64,
    foreign: Mutex<ForeignEntries>,
}

/// The place of one room's head. Whoever holds the lock may append.
pub(crate) struct Slot {
    head: Arc<AsyncMutex<Option<Head>>>,
    /// Another node has moved the room.
    stale: AtomicBool,
}

/// Which log entries another node has made, where several share the database.
#[derive(Default)]
struct ForeignEntries {
    /// How far the log was looked through.
    applied: i64,
    /// Events appended here that have not been seen in the log.
    own: HashSet<i64>,
}

impl Heads {
    /// The room's head, locked; None if the room does not exist.
    pub(crate) async fn lock(&self, store: &Store, room: i64) -> StoreResult<LockedHead> {
        if store.is_shared() {
            self.apply_log(store).await?;
        }
        let slot = self.slot(room);
        let mut guard = Arc::clone(&slot.head).lock_owned().await;
        if slot.stale.swap(false, Ordering::AcqRel) {
            *guard = None;
        }
        if guard.is_none() {
            *guard = self.load(store, room).await?;
        }
        Ok(LockedHead { slot, guard })
    }

    /// The place of a room that is being created, with its first head.
    pub(crate) async fn lock_new(
        &self,
        store: &Store,
        row: rooms::Room,
        version: RoomVersionId,
    ) -> StoreResult<LockedHead> {
        let slot = self.slot(row.room);
        let mut guard = Arc::clone(&slot.head).lock_owned().await;
        let policy_type = policy_type(store).await?;
        *guard = Some(Head::new(
            row,
            version,
            (self.next_generation(), policy_type),
        ));
        Ok(LockedHead { slot, guard })
    }

    /// Remembers that an event is this node's own, before its set is queued.
    pub(crate) fn note_own(&self, store: &Store, event: i64) {
        if store.is_shared() {
            self.foreign.lock().own.insert(event);
        }
    }

    /// Forgets a head that a set built on has fallen with.
    pub(crate) async fn forget(&self, room: i64, generation: u64) {
        let slot = self.slot(room);
        let mut guard = slot.head.lock().await;
        if guard
            .as_ref()
            .is_some_and(|head| head.generation == generation)
        {
            *guard = None;
        }
    }

    /// Takes note that a set was committed.
    pub(crate) async fn settle(&self, room: i64, generation: u64) {
        let slot = self.slot(room);
        let mut guard = slot.head.lock().await;
        if let Some(head) = guard.as_mut().filter(|head| head.generation == generation) {
            head.in_flight -= 1;
            if head.in_flight == 0 {
                head.pending.clear();
                head.pending_events.clear();
                head.pending_places.clear();
                head.pending_redacted.clear();
            }
        }
    }

    /// Marks the heads of rooms that other nodes have moved since the last call.
    async fn apply_log(&self, store: &Store) -> StoreResult<()> {
        let position = store.live().catch_up().await?;
        let mut foreign = self.foreign.lock();
        if position <= foreign.applied {
            return Ok(());
        }
        let entries = store
            .live()
            .entries_since(foreign.applied, &mut |entry| entry.kind == LogKind::Event);
        let slots = self.slots.lock();
        let mark = |slot: &Arc<Slot>| slot.stale.store(true, Ordering::Release);
        match entries {
            Some(entries) => entries
                .iter()
                .filter(|entry| !foreign.own.remove(&entry.reference))
                .filter_map(|entry| slots.get(&entry.subject))
                .for_each(mark),
            None => slots.values().for_each(mark),
        }
        foreign.applied = position;
        Ok(())
    }

    fn slot(&self, room: i64) -> Arc<Slot> {
        let mut slots = self.slots.lock();
        if slots.len() >= HEADS_MAX && !slots.contains_key(&room) {
            // A slot that nobody holds can be made anew from the database.
            slots
                .retain(|_, slot| Arc::strong_count(slot) > 1 || Arc::strong_count(&slot.head) > 1);
        }
        Arc::clone(slots.entry(room).or_insert_with(|| {
            Arc::new(Slot {
                head: Arc::default(),
                stale: AtomicBool::new(false),
            })
        }))
    }

    async fn load(&self, store: &Store, room: i64) -> StoreResult<Option<Head>> {
        let mut read = store.snapshot().await?;
        let Some(row) = rooms::find(&mut read, room).await? else {
            return Ok(None);
        };
        let version = RoomVersionId::try_from(row.room_version.as_str())
            .map_err(|_| corrupt("a room version", &row.room_version))?;
        let policy_type = policy_type(store).await?;
        let types = [TYPE_CREATE, TYPE_POWER_LEVELS, TYPE_JOIN_RULES, policy_type];
        let keys = types.map(|event_type| StateKey {
            event_type,
            state_key: EMPTY_STRING,
        });
        let mut head = Head::new(row, version, (self.next_generation(), policy_type));
        let mut found = head.find_state(store, &mut read, &keys).await?.into_iter();
        head.create = found.next().flatten();
        head.power_levels = found.next().flatten();
        head.join_rules = found.next().flatten();
        head.policy = found.next().flatten();
        Ok(Some(head))
    }

    fn next_generation(&self) -> u64 {
        self.generations.fetch_add(1, Ordering::Relaxed)
    }
}

/// A room's head in the hands of the one who appends.
pub(crate) struct LockedHead {
    slot: Arc<Slot>,
    guard: OwnedMutexGuard<Option<Head>>,
}

impl LockedHead {
    pub(crate) fn get(&mut self) -> Option<&mut Head> {
        self.guard.as_mut()
    }

    /// Gives up a head that was changed and whose change will not be queued.
    pub(crate) fn discard(&mut self) {
        self.slot.stale.store(false, Ordering::Release);
        *self.guard = None;
    }
}

impl Head {
    fn new(
        row: rooms::Room,
        version: RoomVersionId,
        (generation, policy_type): (u64, i64),
    ) -> Self {
        Self {
            row,
            version,
            generation,
            create: None,
            power_levels: None,
            join_rules: None,
            policy: None,
            policy_type,
            members: HashMap::new(),
            pending: HashMap::new(),
            pending_events: HashMap::new(),
            pending_places: auth_graph::PendingPlaces::new(),
            pending_redacted: HashSet::new(),
            in_flight: 0,
        }
    }

    /// The root of the state after everything appended so far.
    pub(crate) fn root(&self) -> StoreResult<Root> {
        Root::from_bytes(&self.row.root)
            .map_err(|error| corrupt("a state root", &error.to_string()))
    }

    /// A user's member event, from the table whose cost does not depend on the size of the room.
    pub(crate) async fn member(&mut self, read: &mut Read, user: i64) -> StoreResult<StateEvent> {
        if let Some(known) = self.members.get(&user) {
            return Ok(known.clone());
        }
        let member = match memberships::find(read, self.row.room, user).await? {
            Some(membership) => Some(self.load_event(read, membership.event).await?),
            None => None,
        };
        self.remember_member(user, member.clone());
        Ok(member)
    }

    /// Remembers what a user's member event is now.
    pub(crate) fn remember_member(&mut self, user: i64, member: StateEvent) {
        // While sets are in flight the database lacks their member events: keep them all.
        if self.members.len() >= MEMBERS_MAX && self.in_flight == 0 {
            self.members.clear();
        }
        self.members.insert(user, member);
    }

    /// Forgets all member events: the room has another state.
    pub(crate) fn forget_members(&mut self) {
        self.members.clear();
    }

    /// Puts what a redaction left of an event in the place of the event.
    pub(crate) fn replace_redacted(&mut self, number: i64, pruned: Event) {
        let pruned = Arc::new(pruned);
        let places = [
            &mut self.create,
            &mut self.power_levels,
            &mut self.join_rules,
            &mut self.policy,
        ];
        for place in places.into_iter().chain(self.members.values_mut()) {
            if place
                .as_ref()
                .is_some_and(|event| event.event_id == pruned.event_id)
            {
                *place = Some(Arc::clone(&pruned));
            }
        }
        if let Some(pending) = self.pending_events.get_mut(&number) {
            *pending = pruned;
        }
    }

    /// State events by key, in the order of the keys.
    pub(crate) async fn find_state(
        &self,
        store: &Store,
        read: &mut Read,
        keys: &[StateKey],
    ) -> StoreResult<Vec<StateEvent>> {
        let lookup = Lookup::new(self.root()?, keys)
            .map_err(|error| corrupt("a state key", &error.to_string()))?;
        let numbers = state_nodes::drive(store, read, self.row.room, &self.pending, lookup).await?;
        let mut found = Vec::with_capacity(keys.len());
        for number in numbers {
            found.push(match number {
                Some(number) => Some(self.load_event(read, number).await?),
                None => None,
            });
        }
        Ok(found)
    }

    /// The state events of a type, in the order of their keys' numbers.
    pub(crate) async fn list_state(
        &self,
        store: &Store,
        read: &mut Read,
        event_type: i64,
    ) -> StoreResult<Vec<Arc<Event>>> {
        let list = List::of_type(self.root()?, event_type)
            .map_err(|error| corrupt("a state key", &error.to_string()))?;
        let entries = state_nodes::drive(store, read, self.row.room, &self.pending, list).await?;
        let mut found = Vec::with_capacity(entries.len());
        for (_, number) in entries {
            found.push(self.load_event(read, number).await?);
        }
        Ok(found)
    }

    /// An event of the room, by number.
    pub(crate) async fn load_event(&self, read: &mut Read, number: i64) -> StoreResult<Arc<Event>> {
        if let Some(pending) = self.pending_events.get(&number) {
            return Ok(Arc::clone(pending));
        }
        let stored = events::find(read, number)
            .await?
            .ok_or(StoreError::Missing { table: "events" })?;
        Ok(Arc::new(self.read_event(&stored)?))
    }

    /// What a row of `events` holds.
    pub(crate) fn read_event(&self, stored: &events::StoredEvent) -> StoreResult<Event> {
        let id = OwnedEventId::try_from(stored.id.as_str())
            .map_err(|_| corrupt("an event id", &stored.id))?;
        event::from_stored(&stored.json, id, &self.version)
            .map_err(|error| corrupt("an event", &error.to_string()))
    }

    /// The state events that the head has in memory.
    pub(crate) fn remembered(&self) -> impl Iterator<Item = &Arc<Event>> {
        let settings = [&self.create, &self.power_levels, &self.join_rules];
        let all = settings.into_iter().chain(self.members.values());
        all.filter_map(Option::as_ref)
    }
}

fn corrupt(wanted: &'static str, found: &str) -> StoreError {
    StoreError::Corrupt {
        table: "rooms",
        column: 0,
        wanted,
        found: found.to_owned(),
    }
}
