//! The place of an event in its room: the state before it, and the head after it.

use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;
use myelin_core::{
    event::Event,
    trie::{Lookup, Root, StateKey, TYPE_CREATE},
};
use myelin_store::{
    Sequence, StoreError, StoreResult, WriteSet,
    events::{self, Status, StoredEvent},
    gaps::{self, GAP, Gap},
    state_nodes,
};
use ruma::OwnedEventId;

use super::{Arrival, ReceiveError, ends::Ends};
use crate::{
    Pending,
    advance::{
        DEPTH_MAX, NewRow, advance_state, apply, log_event, move_to_root, newest, write_nodes,
    },
    auth_graph,
    numbers::EventNumbers,
    open_room::OpenRoom,
    state::{corrupt, parse},
    sticky::TakenAs,
};

/// The number that an event has or is given, and what it was so far, if it is stored already.
type Number = (i64, Option<Status>);

impl OpenRoom<'_> {
    /// Whether an event comes after everything that is in the room.
    pub(super) fn builds_on_head(&mut self, event: &Event) -> bool {
        let Some(head) = self.locked.get() else {
            return false;
        };
        let prev: HashSet<&str> = event.prev_events.iter().map(|id| id.as_str()).collect();
        let extremities: HashSet<&str> = head.row.extremities.iter().map(String::as_str).collect();
        prev == extremities
    }

    pub(super) async fn next_number(&mut self) -> StoreResult<i64> {
        let numbers = self.rooms.store.next_numbers(Sequence::Event, 1).await?;
        let number = numbers.first().copied();
        number.ok_or(StoreError::Missing { table: "sequences" })
    }

    /// The state before an event: the one after the events before it.
    pub(super) async fn root_before(&mut self, event: &Event) -> Result<Root, ReceiveError> {
        if self.builds_on_head(event) {
            let head = self.locked.get();
            let head = head.ok_or(StoreError::Missing { table: "rooms" })?;
            return Ok(head.root()?);
        }
        let ids: Vec<&str> = event.prev_events.iter().map(|id| id.as_str()).collect();
        let roots = self.roots_after(&ids).await?;
        self.resolve(&roots).await
    }

    /// The same, or the state that was told if events before it are missing, and which these are.
    /// What is known of them counts, too.
    pub(super) async fn root_before_or_told(
        &mut self,
        event: &Event,
        told: Option<Root>,
    ) -> Result<(Root, Vec<OwnedEventId>), ReceiveError> {
        let missing = match (self.root_before(event).await, told) {
            (Err(ReceiveError::MissingPrev(missing)), Some(told)) => (missing, told),
            (found, _) => return Ok((found?, Vec::new())),
        };
        let (missing, told) = missing;
        let known = event.prev_events.iter().filter(|id| !missing.contains(id));
        let known: Vec<&str> = known.map(|id| id.as_str()).collect();
        let mut roots = self.roots_after(&known).await?;
        if !roots.contains(&told) {
            roots.push(told);
        }
        Ok((self.resolve(&roots).await?, missing))
    }

    /// Leaves room in the order of the room's events for those that are missing before the next.
    pub(crate) fn leave_gap(&mut self, missing: &[OwnedEventId]) -> StoreResult<()> {
        self.changed = true;
        let head = self.locked.get();
        let head = head.ok_or(StoreError::Missing { table: "rooms" })?;
        let lower = head.row.room_order;
        head.row.room_order += GAP;
        let missing = missing.iter().map(ToString::to_string).collect();
        let place = (lower, head.row.room_order + 1);
        let gap = Gap::new(head.row.room, place, missing);
        gaps::insert(&mut self.writes, &gap);
        Ok(())
    }

    /// Those of these events that have no place here.
    pub(crate) async fn without_place(
        &mut self,
        ids: &[OwnedEventId],
    ) -> StoreResult<Vec<OwnedEventId>> {
        let names: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
        let (found, room) = (
            events::list_by_ids(&mut self.read, &names).await?,
            self.number(),
        );
        let is_placed = |id: &&OwnedEventId| {
            let mut found = found.iter().filter(|found| found.id == id.as_str());
            found.any(|found| found.room == room && has_place(found))
        };
        Ok(ids.iter().filter(|id| !is_placed(id)).cloned().collect())
    }

    /// The one state that follows from these, whose nodes the set then writes where nobody did.
    async fn resolve(&mut self, roots: &[Root]) -> Result<Root, ReceiveError> {
        if let [root] = roots {
            return Ok(*root);
        }
        let head = self.locked.get();
        let head = head.ok_or(StoreError::Missing { table: "rooms" })?;
        let pending = Pending {
            nodes: &head.pending,
            events: &head.pending_events,
            places: &head.pending_places,
        };
        let room = (head.row.room, &head.version);
        let resolved = self.rooms.resolve(&mut self.read, room, roots, pending);
        let resolved = resolved.await?;
        self.changed = true;
        write_nodes(head, &mut self.writes, resolved.nodes);
        Ok(resolved.root)
    }

    /// The state after these events, and the one that is after another end if there is one.
    async fn root_after_ends(
        &mut self,
        ends: &[String],
        after: Option<Root>,
    ) -> Result<Root, ReceiveError> {
        let ids: Vec<&str> = ends.iter().map(String::as_str).collect();
        let mut roots = self.roots_after(&ids).await?;
        roots.extend(after.filter(|after| !roots.contains(after)));
        self.resolve(&roots).await
    }

    /// The event that stands under a key at a root.
    pub(super) async fn number_at(
        &mut self,
        root: Root,
        key: StateKey,
    ) -> StoreResult<Option<i64>> {
        let head = self.locked.get();
        let head = head.ok_or(StoreError::Missing { table: "rooms" })?;
        let (store, room) = (&self.rooms.store, head.row.room);
        let lookup = Lookup::new(root, &[key]).map_err(|error| corrupt(&error))?;
        let found = state_nodes::drive(store, &mut self.read, room, &head.pending, lookup).await?;
        Ok(found.into_iter().next().flatten())
    }

    /// Enters a state event that takes part in resolutions into the graph of auth events.
    pub(super) async fn enter_graph(
        &mut self,
        event: &Arc<Event>,
        ((number, _), numbers): (Number, EventNumbers),
    ) -> StoreResult<()> {
        let head = self.locked.get();
        let head = head.ok_or(StoreError::Missing { table: "rooms" })?;
        if numbers.state_key.is_some() {
            head.pending_events.insert(number, Arc::clone(event));
        }
        self.changed = true;
        let place = (event, number, numbers);
        auth_graph::enter(head, &mut self.read, &mut self.writes, place).await
    }

    /// The states after these events, each once.
    pub(super) async fn roots_after(&mut self, ids: &[&str]) -> Result<Vec<Root>, ReceiveError> {
        let found = events::list_by_ids(&mut self.read, ids).await?;
        let room = self.number();
        let found: Vec<_> = found
            .iter()
            .filter(|event| event.room == room && has_place(event))
            .collect();
        let placed: HashSet<&str> = found.iter().map(|event| event.id.as_str()).collect();
        let missing: Vec<OwnedEventId> = ids
            .iter()
            .filter(|id| !placed.contains(*id))
            .filter_map(|id| OwnedEventId::try_from(*id).ok())
            .collect();
        if !missing.is_empty() {
            return Err(ReceiveError::MissingPrev(missing));
        }
        let mut roots = Vec::with_capacity(found.len());
        for event in found {
            let root = self.root_after_event(event).await?;
            if !roots.contains(&root) {
                roots.push(root);
            }
        }
        Ok(roots)
    }

    /// The state after an event, whose nodes the set then writes where nobody did.
    pub(super) async fn root_after_event(&mut self, event: &StoredEvent) -> StoreResult<Root> {
        let before = parse(&event.root_before)?;
        let is_state = matches!(event.status, Status::Accepted | Status::SoftFailed);
        let Some(state_key) = event.state_key.filter(|_| is_state) else {
            return Ok(before);
        };
        let key = StateKey {
            event_type: event.event_type,
            state_key,
        };
        self.enter_into(before, key, event.event).await
    }

    async fn enter_into(&mut self, root: Root, key: StateKey, number: i64) -> StoreResult<Root> {
        let head = self.locked.get();
        let head = head.ok_or(StoreError::Missing { table: "rooms" })?;
        let (store, room) = (&self.rooms.store, head.row.room);
        let machine = apply(root, key, number)?;
        let (root, nodes) =
            state_nodes::drive(store, &mut self.read, room, &head.pending, machine).await?;
        self.changed = true;
        write_nodes(head, &mut self.writes, nodes);
        Ok(root)
    }

    /// Stores an event that does not move the head.
    pub(super) async fn set_aside(
        &mut self,
        event: &Event,
        (number, numbers): (Number, EventNumbers),
        (root_before, status): (Root, Status),
    ) -> StoreResult<()> {
        let head = self.locked.get();
        let head = head.ok_or(StoreError::Missing { table: "rooms" })?;
        let row = NewRow {
            number: number.0,
            numbers,
            root_before: Bytes::from(root_before.to_bytes()),
            transaction: None,
        };
        let stored = StoredEvent {
            room_order: 0,
            status,
            ..newest(head, event, row)
        };
        write(&mut self.writes, &stored, number.1);
        if status == Status::SoftFailed {
            self.note_sticky(&stored, TakenAs::SoftFailed).await?;
        }
        Ok(())
    }

    /// The ends of the room once an accepted event is in it, and the state after them all; None: it
    /// is the one after the event alone.
    async fn ends_and_state(
        &mut self,
        event: &Event,
        (number, numbers): (i64, EventNumbers),
        root_before: Root,
    ) -> Result<(Ends, Option<Root>), ReceiveError> {
        let mut ends = self.ends_with(event).await?;
        if ends.others.is_empty() {
            return Ok((ends, None));
        }
        let after = match numbers.state_key {
            Some(state_key) => {
                let key = StateKey {
                    event_type: numbers.event_type,
                    state_key,
                };
                self.enter_into(root_before, key, number).await?
            }
            None => root_before,
        };
        let after = ends.is_end.then_some(after);
        let mut after_all = self.root_after_ends(&ends.others, after).await?;
        if ends.is_end {
            let all = (event, after_all);
            let left = self.without_overtaken(&ends.others, all).await?;
            if left != ends.others {
                ends.others = left;
                after_all = self.root_after_ends(&ends.others, after).await?;
            }
        }
        Ok((ends, Some(after_all)))
    }

    /// Appends an event that was accepted, and moves the head by it.
    pub(super) async fn place(
        &mut self,
        event: &Arc<Event>,
        ((number, known_as), arrival): (Number, Arrival<'_>),
        root_before: Root,
    ) -> Result<(), ReceiveError> {
        let numbers = arrival.numbers;
        self.enter_graph(event, ((number, known_as), numbers))
            .await?;
        let key = (event.type_str(), event.state_key.as_deref());
        self.note_guest_access(key, &event.content).await?;
        let (Ends { others, is_end }, after_all) = self
            .ends_and_state(event, (number, numbers), root_before)
            .await?;
        self.changed = true;
        let rooms = self.rooms;
        let head = self.locked.get();
        let head = head.ok_or(StoreError::Missing { table: "rooms" })?;
        head.row.version = number;
        head.row.extremities = others;
        if is_end {
            head.row.extremities.push(event.event_id.to_string());
        }
        let depth = i64::try_from(event.depth).map_or(DEPTH_MAX, |depth| depth.min(DEPTH_MAX));
        head.row.depth = head.row.depth.max(depth);
        head.row.room_order += 1;
        let (read, writes) = (&mut self.read, &mut self.writes);
        if let Some(root) = after_all {
            let newest = (event, number, root_before);
            rooms.note_undone(head, read, root, newest).await?;
            move_to_root(rooms, head, (read, writes), root, number).await?;
        } else {
            move_to_root(rooms, head, (read, writes), root_before, number).await?;
            advance_state(rooms, head, read, writes, (event, number, numbers)).await?;
        }
        rooms.heads.note_own(&rooms.store, number);
        let row = NewRow {
            number,
            numbers,
            root_before: Bytes::from(root_before.to_bytes()),
            transaction: arrival.transaction,
        };
        let stored = StoredEvent {
            delayed: arrival.delayed,
            ..newest(head, event, row)
        };
        log_event(writes, head, number);
        self.write_with_redaction(stored, known_as).await?;
        self.heed(event, number).await
    }
}

/// Whether the state before an event is known.
pub(crate) fn has_place(event: &StoredEvent) -> bool {
    // Only a create event has no state before it, and nothing comes before that one.
    let is_placed = !event.root_before.is_empty() || event.event_type == TYPE_CREATE;
    event.status != Status::Outlier && is_placed
}

/// Writes an event, whether it was known by reference before or not.
pub(super) fn write(writes: &mut WriteSet, stored: &StoredEvent, known_as: Option<Status>) {
    match known_as {
        Some(before) => events::place(writes, stored, before),
        None => events::insert_received(writes, stored),
    }
}
