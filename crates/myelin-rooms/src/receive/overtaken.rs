//! Ends that the room has overtaken: what the state after all ends forbids holds no fork open.
//!
//! Of two events that were made without knowledge of each other, one may forbid the other: then it
//! soft-fails wherever it comes last (spec: "Soft failure"). Where it came first it was accepted, and
//! must not decide there what the state of the room is for good. The fork would stay open until
//! somebody ties its ends together, which perhaps nobody may any more, and its resolution can take
//! away what both sides hold, for all that was allowed before the fork is judged once more.

use std::collections::HashSet;

use myelin_core::{
    event::Event,
    trie::{Root, StateKey},
};
use myelin_store::{
    StoreError, StoreResult,
    events::{self, Status, StoredEvent},
};

use super::{ReceiveError, place::has_place};
use crate::{open_room::OpenRoom, served::graph::prev_events};

/// Events that are looked at for one that comes in beside others.
const LOOKS_MAX: usize = 50;

/// What was found of some events.
#[derive(Default)]
struct Looked {
    /// Those that the room goes on with, and their depths.
    left: Vec<(String, i64)>,
    /// What comes before the others.
    before: Vec<String>,
}

impl OpenRoom<'_> {
    /// Those of the ends beside a new one, `event`, that the state after all of them does not forbid.
    /// What comes before the others takes their place, unless it comes before something else that
    /// is left. They all stay if too much would have to be looked at.
    ///
    /// Cost: one look into the state for each end.
    pub(super) async fn without_overtaken(
        &mut self,
        ends: &[String],
        (event, after_all): (&Event, Root),
    ) -> Result<Vec<String>, ReceiveError> {
        let (mut left, mut open) = (Vec::new(), ends.to_vec());
        let mut seen: HashSet<String> = ends.iter().cloned().collect();
        while !open.is_empty() {
            let Some(looked) = self.look_for_overtaken(&open, after_all).await? else {
                return Ok(ends.to_vec());
            };
            left.extend(looked.left);
            let before = looked.before.into_iter();
            open = before.filter(|id| seen.insert(id.clone())).collect();
            if seen.len() > LOOKS_MAX {
                return Ok(ends.to_vec());
            }
        }
        Ok(self.without_those_before(left, event, ends).await?)
    }

    /// None: what became of one of these events, or the state before it, is not known.
    async fn look_for_overtaken(
        &mut self,
        ids: &[String],
        after_all: Root,
    ) -> Result<Option<Looked>, ReceiveError> {
        let names: Vec<&str> = ids.iter().map(String::as_str).collect();
        let found = events::list_by_ids(&mut self.read, &names).await?;
        let mut looked = Looked::default();
        for id in ids {
            let stored = found.iter().find(|stored| stored.id == *id);
            let Some(stored) = stored.filter(|stored| has_place(stored)) else {
                return Ok(None);
            };
            if self.is_overtaken(stored, after_all).await? {
                looked.before.extend(prev_events(&stored.json));
            } else {
                looked.left.push((id.clone(), stored.depth));
            }
        }
        Ok(Some(looked))
    }

    /// Whether the room goes on without an event: it is not part of this state, which forbids it.
    async fn is_overtaken(
        &mut self,
        stored: &StoredEvent,
        after_all: Root,
    ) -> Result<bool, ReceiveError> {
        if stored.status != Status::Accepted {
            return Ok(true);
        }
        if let Some(state_key) = stored.state_key {
            let key = StateKey {
                event_type: stored.event_type,
                state_key,
            };
            if self.number_at(after_all, key).await? == Some(stored.event) {
                return Ok(false);
            }
        }
        let head = self.locked.get();
        let head = head.ok_or(StoreError::Missing { table: "rooms" })?;
        let event = head.read_event(stored)?;
        Ok(!self.allows_at(&event, after_all).await?)
    }

    /// The ids of these events, without those that took the place of another end and come before
    /// the new event or before another one of them.
    async fn without_those_before(
        &mut self,
        left: Vec<(String, i64)>,
        event: &Event,
        ends: &[String],
    ) -> StoreResult<Vec<String>> {
        let mut kept = Vec::with_capacity(left.len());
        for (id, depth) in &left {
            if ends.contains(id) {
                kept.push(id.clone());
                continue;
            }
            let is_prev = event.prev_events.iter().any(|prev| prev.as_str() == id);
            let others = left
                .iter()
                .map(|(other, _)| other)
                .filter(|other| *other != id);
            let prev = event.prev_events.iter().map(ToString::to_string);
            let after: Vec<String> = others.cloned().chain(prev).collect();
            if !is_prev && !self.is_before((id, *depth), &after).await? {
                kept.push(id.clone());
            }
        }
        Ok(kept)
    }
}
