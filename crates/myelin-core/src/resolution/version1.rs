//! Version 1 of the algorithm, for room version 1.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use sha1::{Digest as _, Sha1};

use super::{
    Changes,
    checks::{Sources, State},
    conflicts::Conflicts,
    known::Known,
};
use crate::trie::{StateKey, TYPE_JOIN_RULES, TYPE_MEMBER, TYPE_POWER_LEVELS};

#[derive(Debug)]
pub(super) struct Version1 {
    conflicts: Arc<Conflicts>,
    state: State,
    /// Of which keys there are several events.
    contested: BTreeMap<StateKey, BTreeSet<i64>>,
    events: BTreeSet<i64>,
}

impl Version1 {
    pub(super) fn new(conflicts: Arc<Conflicts>) -> Version1 {
        let sources = Sources {
            entries: true,
            auth_events: false,
        };
        let mut state = State::new(Arc::clone(&conflicts), sources);
        let mut contested = BTreeMap::new();
        let mut events = BTreeSet::new();
        for (key, forks) in &conflicts.keys {
            let values: BTreeSet<i64> = forks.iter().flatten().copied().collect();
            // A key that some forks lack is no conflict: the union of the states has it.
            match values.first() {
                Some(only) if values.len() == 1 => state.put(*key, *only),
                _ => {
                    contested.insert(*key, values.clone());
                }
            }
            events.extend(values);
        }
        Version1 {
            conflicts,
            state,
            contested,
            events,
        }
    }

    /// Goes on: what the resolution changes, or None while something has to be loaded.
    pub(super) fn advance(&mut self, known: &mut Known) -> Option<Changes> {
        self.state.prepare(known, &self.events)?;
        // What was not accepted, or is not there, takes no part.
        let is_there =
            |event: i64| known.known_event(event).is_some() && known.known_place(event).is_some();
        for values in self.contested.values_mut() {
            values.retain(|event| is_there(*event));
        }
        let gone = self.state.entries().clone().into_iter();
        for (key, _) in gone.filter(|(_, event)| !is_there(*event)) {
            self.state.remove(key);
        }
        for event_type in [TYPE_POWER_LEVELS, TYPE_JOIN_RULES, TYPE_MEMBER] {
            let contested = self.contested.clone().into_iter();
            let of_type = contested.filter(|(key, _)| key.event_type == event_type);
            // The keys of a type do not see each other, so their order does not matter.
            let mut chosen = Vec::new();
            for (key, values) in of_type {
                self.contested.remove(&key);
                chosen.push((key, self.last_allowed(known, key, &values)));
            }
            self.put(chosen);
        }
        let mut chosen = Vec::new();
        for (key, values) in &self.contested {
            chosen.push((*key, self.best_allowed(known, values)));
        }
        self.put(chosen);
        Some(self.changes())
    }

    fn put(&mut self, chosen: Vec<(StateKey, Option<i64>)>) {
        for (key, event) in chosen {
            if let Some(event) = event {
                self.state.put(key, event);
            }
        }
    }

    /// The first event stands; each one that the state with the one before it allows takes its place,
    /// until one is not allowed.
    fn last_allowed(
        &mut self,
        known: &Known,
        key: StateKey,
        events: &BTreeSet<i64>,
    ) -> Option<i64> {
        let mut sorted = ascending(known, events).into_iter();
        let mut chosen = sorted.next()?;
        for event in sorted {
            self.state.put(key, chosen);
            if !self.state.allows(known, event) {
                break;
            }
            chosen = event;
        }
        self.state.remove(key);
        Some(chosen)
    }

    /// The event with the greatest depth that the state allows. If it allows none, the specification is
    /// silent, and other servers keep that with the least.
    fn best_allowed(&self, known: &Known, events: &BTreeSet<i64>) -> Option<i64> {
        let sorted = ascending(known, events);
        let allowed = sorted.iter().rev();
        let mut allowed = allowed.filter(|event| self.state.allows(known, **event));
        allowed.next().or(sorted.first()).copied()
    }

    fn changes(&self) -> Changes {
        let resolved = self.state.entries();
        let keys = self.conflicts.keys.iter();
        let entries = keys
            .map(|(key, forks)| (*key, forks[0], resolved.get(key).copied()))
            .filter(|(_, first, resolved)| first != resolved)
            .map(|(key, _, resolved)| (key, resolved));
        Changes {
            entries: entries.collect(),
            events: self.events.len(),
        }
    }
}

/// By ascending depth, then by descending SHA-1 of the id.
fn ascending(known: &Known, events: &BTreeSet<i64>) -> Vec<i64> {
    let mut sorted: Vec<i64> = events.iter().copied().collect();
    sorted.sort_by_cached_key(|number| {
        known.known_event(*number).map(|event| {
            let hash: [u8; 20] = Sha1::digest(event.event.event_id.as_bytes()).into();
            (event.event.depth, Reverse(hash))
        })
    });
    sorted
}
