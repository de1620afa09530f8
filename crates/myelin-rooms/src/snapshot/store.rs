//! The rows of a snapshot, in slices that let other writes pass.

use std::collections::HashMap;

use bytes::Bytes;
use myelin_core::{
    snapshot::Verdict,
    trie::{Apply, Machine, Root, StateKey},
};
use myelin_store::{
    Sequence, StoreError, StoreResult, WriteSet,
    events::{self, Status, StoredEvent},
    state_nodes,
};

use super::Found;
use crate::{Rooms, advance::DEPTH_MAX, state::corrupt};

/// Events of one slice; each has two rows.
const SLICE: usize = 500;
/// Bytes of one slice, unless its first event alone is larger.
const SLICE_BYTES: usize = 2 * 1024 * 1024;
/// Nodes of the state of one slice.
const NODES: usize = 1_000;

impl Rooms {
    /// Stores the events that were judged and are not stored; who waits for events that are
    /// missing is left out.
    pub(super) async fn store_outliers(
        &self,
        room: i64,
        found: &mut [Found],
        verdicts: &[Verdict],
    ) -> StoreResult<()> {
        let mut new = Vec::new();
        for (found, verdict) in found.iter_mut().zip(verdicts) {
            let status = match verdict {
                Verdict::Accepted => Status::Outlier,
                Verdict::Rejected(_) => Status::Rejected,
                Verdict::Incomplete => continue,
            };
            new.push((found, status));
        }
        let mut left = &mut new[..];
        while !left.is_empty() {
            let (slice, rest) = left.split_at_mut(slice_length(left));
            self.store_slice(room, slice).await?;
            left = rest;
        }
        Ok(())
    }

    async fn store_slice(&self, room: i64, slice: &mut [(&mut Found, Status)]) -> StoreResult<()> {
        let names = self.intern_names(slice).await?;
        let mut attempts = self.store.attempts();
        loop {
            self.number_known(slice).await?;
            let new = slice.iter().filter(|(found, _)| found.number.is_none());
            let new = self
                .store
                .next_numbers(Sequence::Event, new.count())
                .await?;
            if new.is_empty() {
                break;
            }
            let mut numbers = new.into_iter();
            let mut writes = WriteSet::new();
            let unnumbered = slice.iter().zip(&names);
            let unnumbered = unnumbered.filter(|((found, _), _)| found.number.is_none());
            for ((found, status), names) in unnumbered {
                let number = numbers.next();
                let number = number.ok_or(StoreError::Missing { table: "sequences" })?;
                let row = row(room, number, (found, *status), names);
                events::insert_received(&mut writes, &row);
            }
            match self.store.commit_patiently(writes).await {
                Ok(_) => {}
                // Another has stored one of them at the same time: its number counts.
                Err(StoreError::Conflict) => attempts.conflict()?,
                Err(error) => return Err(error),
            }
        }
        for ((found, _), names) in slice.iter_mut().zip(&names) {
            found.key = names.state_key.map(|state_key| StateKey {
                event_type: names.event_type,
                state_key,
            });
            found.event.json = Box::default();
        }
        Ok(())
    }

    /// Gives those events that are stored meanwhile their numbers.
    async fn number_known(&self, slice: &mut [(&mut Found, Status)]) -> StoreResult<()> {
        let ids: Vec<&str> = slice
            .iter()
            .filter(|(found, _)| found.number.is_none())
            .map(|(found, _)| found.event.event_id.as_str())
            .collect();
        let known = events::list_numbers(&mut self.store.read(), &ids).await?;
        let known: HashMap<String, i64> = known.into_iter().collect();
        for (found, _) in slice {
            if let Some(number) = known.get(found.event.event_id.as_str()) {
                found.number = Some(*number);
            }
        }
        Ok(())
    }

    async fn intern_names(&self, slice: &[(&mut Found, Status)]) -> StoreResult<Vec<Names>> {
        let mut strings = Vec::with_capacity(3 * slice.len());
        for (found, _) in slice {
            strings.push(found.event.type_str().as_bytes());
            strings.push(found.event.sender.as_bytes());
            // What is no state event takes the place of one, so that each has three.
            let state_key = found.event.state_key.as_deref();
            strings.push(state_key.unwrap_or_default().as_bytes());
        }
        let numbers = self.store.intern(&strings).await?;
        let names = numbers.chunks_exact(3).zip(slice);
        Ok(names
            .map(|(numbers, (found, _))| Names {
                event_type: numbers[0],
                sender: numbers[1],
                state_key: found.event.state_key.as_ref().map(|_| numbers[2]),
            })
            .collect())
    }

    /// Stores the nodes of the state.
    pub(super) async fn store_state(
        &self,
        room: i64,
        found: &[Found],
        state: &[usize],
    ) -> StoreResult<Root> {
        let entries = state.iter().map(|index| &found[*index]);
        let entries = entries.filter_map(|found| Some((found.key?, Some(found.number?))));
        let apply = Apply::new(Root(None), entries.collect()).map_err(|error| corrupt(&error))?;
        let (root, nodes) = apply.finish().map_err(|error| corrupt(&error))?;
        for slice in nodes.chunks(NODES) {
            let mut writes = WriteSet::new();
            for (hash, node) in slice {
                state_nodes::insert(&mut writes, room, *hash, node);
            }
            self.store.commit_patiently(writes).await?;
        }
        Ok(root)
    }
}

/// The interned strings of an event.
struct Names {
    event_type: i64,
    sender: i64,
    state_key: Option<i64>,
}

/// How many of the events fit one slice.
fn slice_length(events: &[(&mut Found, Status)]) -> usize {
    let mut bytes = 0;
    let fits = events.iter().take(SLICE).take_while(|(found, _)| {
        bytes += found.event.json.len();
        bytes <= SLICE_BYTES
    });
    fits.count().max(1)
}

fn row(room: i64, number: i64, (found, status): (&Found, Status), names: &Names) -> StoredEvent {
    let event = &found.event;
    StoredEvent {
        event: number,
        id: event.event_id.to_string(),
        room,
        room_order: 0,
        event_type: names.event_type,
        state_key: names.state_key,
        sender: names.sender,
        depth: i64::try_from(event.depth).map_or(DEPTH_MAX, |depth| depth.min(DEPTH_MAX)),
        origin_server_ts: i64::try_from(event.origin_server_ts).unwrap_or(i64::MAX),
        status,
        root_before: Bytes::new(),
        device: None,
        txn_id: None,
        delayed: None,
        json: event.json.to_string(),
        redaction: None,
    }
}
