//! Storing a room's history: one set, in which the gap moves on.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use bytes::Bytes;
use myelin_core::event::Event;
use myelin_store::{
    StoreError, StoreResult, WriteSet, auth_graph, early_redactions,
    events::{self, Status, StoredEvent},
    gaps::{self, Gap},
    state_nodes,
};

use super::{
    judge::{Entry, History, Judged},
    stretch::Stretch,
};
use crate::{
    ReceiveError, Rooms,
    advance::{NewRow, newest},
    open_room::OpenRoom,
    receive::Place,
    sticky::TakenAs,
};

/// Ids of missing events that a gap remembers: those of the newest events come first.
const MISSING_MAX: usize = 100;
/// Nodes of states that are written by one set.
const NODES: usize = 1_000;
/// How often a set may meet what somebody else does in the room.
const CONFLICTS_MAX: usize = 5;

/// What came of storing a history.
pub(super) enum Entered {
    /// It is stored.
    Now,
    /// Somebody else has filled the gap, or a part of it.
    GapChanged,
    /// What was judged is not what it was any more.
    Stale,
}

impl Rooms {
    pub(super) async fn enter_history(
        &self,
        place: &Place,
        gap: &Gap,
        (stretch, history): (&Stretch, History),
    ) -> StoreResult<Entered> {
        self.store_nodes(place.room, &history).await?;
        for _ in 0..CONFLICTS_MAX {
            let room = self.open(&place.room_id).await?;
            let mut room = room.ok_or(StoreError::Missing { table: "rooms" })?;
            // What is queued would not be found.
            room.await_queued().await?;
            let now = gaps::find(&mut room.read, gap.room, gap.upper).await?;
            if now.is_none_or(|now| now.version != gap.version) {
                return Ok(Entered::GapChanged);
            }
            if !room.still_holds(&history).await? {
                return Ok(Entered::Stale);
            }
            let moved = room.enter_history(&history, gap.upper).await;
            let upper = match moved {
                Ok(upper) => upper,
                Err(ReceiveError::Store(error)) => return Err(error),
                Err(_) => return Ok(Entered::Stale),
            };
            let missing = still_missing(gap, stretch, &history);
            if missing.is_empty() || upper <= gap.lower + 1 {
                gaps::delete(&mut room.writes, gap);
            } else {
                gaps::narrow(&mut room.writes, gap, upper, missing);
            }
            if self.settle(room.submit()?).await?.is_some() {
                return Ok(Entered::Now);
            }
        }
        Ok(Entered::Stale)
    }

    /// Stores one event alone, with what is known before it, and divides the gap in which it stands:
    /// what is missing above it still is, and what it comes after is missing below.
    pub(super) async fn enter_island(
        &self,
        place: &Place,
        (around, alone): (&Gap, &Gap),
        (stretch, history): (&Stretch, History),
    ) -> StoreResult<Entered> {
        self.store_nodes(place.room, &history).await?;
        let room = self.open(&place.room_id).await?;
        let mut room = room.ok_or(StoreError::Missing { table: "rooms" })?;
        room.await_queued().await?;
        if !room.still_holds(&history).await? {
            return Ok(Entered::Stale);
        }
        let bottom = match room.enter_history(&history, alone.upper).await {
            Ok(bottom) => bottom,
            Err(ReceiveError::Store(error)) => return Err(error),
            Err(_) => return Ok(Entered::Stale),
        };
        let missing = still_missing(alone, stretch, &history);
        let span = (alone.upper - 1, bottom);
        gaps::divide(&mut room.writes, around, span, missing);
        match self.settle(room.submit()?).await? {
            Some(_) => Ok(Entered::Now),
            // Somebody else was faster: then it may be there already.
            None => Ok(Entered::GapChanged),
        }
    }

    /// Nothing refers to the nodes before the events do.
    async fn store_nodes(&self, room: i64, history: &History) -> StoreResult<()> {
        let mut nodes: Vec<_> = history.nodes.iter().collect();
        nodes.sort_by_key(|(hash, _)| hash.0);
        for slice in nodes.chunks(NODES) {
            let mut writes = WriteSet::new();
            for (hash, node) in slice {
                state_nodes::insert(&mut writes, room, **hash, node);
            }
            self.store.commit_patiently(writes).await?;
        }
        Ok(())
    }
}

impl OpenRoom<'_> {
    /// Whether what is to be stored is still known, or unknown, as it was when it was judged.
    async fn still_holds(&mut self, history: &History) -> StoreResult<bool> {
        let entered = history.pieces.iter().filter(|it| it.entry.is_some());
        let entered: Vec<_> = entered.map(|judged| &judged.piece).collect();
        let ids: Vec<&str> = entered
            .iter()
            .map(|it| it.event.event_id.as_str())
            .collect();
        let known = events::list_by_ids(&mut self.read, &ids).await?;
        let known: HashMap<&str, &StoredEvent> = known
            .iter()
            .map(|known| (known.id.as_str(), known))
            .collect();
        Ok(entered.iter().all(|piece| {
            let now = known.get(piece.event.event_id.as_str()).copied();
            now == piece.stored.as_ref()
        }))
    }

    /// Enters events into the set, and gives those that were accepted their places, from the one
    /// below the gap's upper end downwards. Returns the lowest of them.
    async fn enter_history(&mut self, history: &History, upper: i64) -> Result<i64, ReceiveError> {
        self.changed = true;
        let entered: Vec<(&Judged, &Entry)> = history
            .pieces
            .iter()
            .filter_map(|judged| Some((judged, judged.entry.as_ref()?)))
            .collect();
        let accepted = |entry: &Entry| entry.status == Status::Accepted;
        for (judged, entry) in entered.iter().filter(|(_, entry)| accepted(entry)) {
            if entry.numbers.state_key.is_some()
                && let Some(head) = self.locked.get()
            {
                let event = Arc::clone(&judged.piece.event);
                head.pending_events.insert(entry.number, event);
            }
        }
        let mut order = upper;
        let mut rows = Vec::with_capacity(entered.len());
        for (judged, entry) in &entered {
            if accepted(entry) {
                order -= 1;
            }
            let place = if accepted(entry) { order } else { 0 };
            rows.push(self.history_row((*judged, *entry), place)?);
        }
        self.cut_redacted(&entered, &mut rows).await?;
        for ((judged, _), row) in entered.iter().zip(&rows) {
            let before = judged.piece.stored.as_ref().map(|stored| stored.status);
            self.write_event(row, before);
            if row.status == Status::Accepted {
                self.note_sticky(row, TakenAs::History).await?;
            }
        }
        self.take_along_late(&rows).await?;
        let inside: HashSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        for (judged, entry) in entered.iter().filter(|(_, entry)| accepted(entry)) {
            let event = &judged.piece.event;
            let redacts = event.redacts.as_ref();
            if redacts.is_some_and(|id| !inside.contains(id.as_str())) {
                self.heed(event, entry.number).await?;
            }
        }
        for place in &history.places {
            auth_graph::insert(&mut self.writes, place);
        }
        Ok(order)
    }

    fn history_row(
        &mut self,
        (judged, entry): (&Judged, &Entry),
        room_order: i64,
    ) -> StoreResult<StoredEvent> {
        let root_before = Bytes::from(entry.root_before.to_bytes());
        let placed = if let Some(stored) = &judged.piece.stored {
            stored.clone()
        } else {
            let head = self.locked.get();
            let head = head.ok_or(StoreError::Missing { table: "rooms" })?;
            let row = NewRow {
                number: entry.number,
                numbers: entry.numbers,
                root_before: Bytes::new(),
                transaction: None,
            };
            newest(head, &judged.piece.event, row)
        };
        Ok(StoredEvent {
            room_order,
            status: entry.status,
            root_before,
            ..placed
        })
    }

    /// Cuts what was redacted: by what came before its time, or by what comes with it.
    async fn cut_redacted(
        &mut self,
        entered: &[(&Judged, &Entry)],
        rows: &mut [StoredEvent],
    ) -> Result<(), ReceiveError> {
        let mut redactions: HashMap<&str, Vec<(&Event, usize)>> = HashMap::new();
        for (index, (judged, entry)) in entered.iter().enumerate() {
            let event = &judged.piece.event;
            if let Some(id) = &event.redacts
                && entry.status == Status::Accepted
            {
                let ours = redactions.entry(id.as_str()).or_default();
                ours.push((event, index));
            }
        }
        let ids: Vec<&str> = entered
            .iter()
            .map(|(judged, _)| judged.piece.event.event_id.as_str())
            .collect();
        let awaited = early_redactions::list_awaited(&mut self.read, &ids).await?;
        let awaited: HashSet<String> = awaited.into_iter().collect();
        for index in 0..rows.len() {
            let id = rows[index].id.clone();
            if awaited.contains(&id) {
                self.apply_early_redactions(&mut rows[index]).await?;
            }
            let redactions = redactions.remove(id.as_str()).unwrap_or_default();
            self.cut(rows, index, &redactions).await?;
        }
        Ok(())
    }

    /// Leaves of a row what the first of these redactions leaves that counts.
    async fn cut(
        &mut self,
        rows: &mut [StoredEvent],
        index: usize,
        redactions: &[(&Event, usize)],
    ) -> Result<(), ReceiveError> {
        for (by, redaction) in redactions {
            if rows[index].redaction.is_none() && self.is_heeded(by, &rows[index]).await? {
                let redaction = rows[*redaction].clone();
                self.prune(&mut rows[index], redaction)?;
            }
        }
        Ok(())
    }
}

/// What is missing when a history is stored: what its events come after, and what was missing
/// before and is still.
fn still_missing(gap: &Gap, stretch: &Stretch, history: &History) -> Vec<String> {
    let inside: HashSet<&str> = history
        .pieces
        .iter()
        .map(|judged| judged.piece.event.event_id.as_str())
        .collect();
    let before = history.pieces.iter();
    let before = before.flat_map(|judged| &judged.piece.event.prev_events);
    let before = before.map(|id| id.as_str());
    let left = gap.missing.iter().map(String::as_str);
    let mut seen = HashSet::new();
    before
        .chain(left)
        .filter(|id| !inside.contains(id) && !stretch.ends_at(id) && seen.insert(*id))
        .take(MISSING_MAX)
        .map(ToOwned::to_owned)
        .collect()
}
