//! The iterative auth checks: events enter a state one by one, if it allows them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    conflicts::Conflicts,
    known::{AuthKey, Known, StateEvent},
};
use crate::{
    auth,
    event::Event,
    trie::{EMPTY_STATE_KEY, StateKey, TYPE_CREATE},
};

const CREATE: StateKey = StateKey {
    event_type: TYPE_CREATE,
    state_key: EMPTY_STATE_KEY,
};

/// Where the state comes from that decides about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sources {
    /// The entries in which the forks agree.
    pub(super) entries: bool,
    /// What the event cites, for what the state lacks.
    pub(super) auth_events: bool,
}

/// A state that is being made.
#[derive(Debug)]
pub(super) struct State {
    conflicts: Arc<Conflicts>,
    sources: Sources,
    entries: BTreeMap<StateKey, i64>,
}

impl State {
    pub(super) fn new(conflicts: Arc<Conflicts>, sources: Sources) -> State {
        State {
            conflicts,
            sources,
            entries: BTreeMap::new(),
        }
    }

    /// Asks for all that checks of these events can look at; whether it is known.
    pub(super) fn prepare(&self, known: &mut Known, events: &BTreeSet<i64>) -> Option<()> {
        let mut is_known = self.prepare_create(known).is_some();
        for event in events {
            is_known &= self.prepare_event(known, *event).is_some();
        }
        is_known.then_some(())
    }

    fn prepare_create(&self, known: &mut Known) -> Option<()> {
        if !self.conflicts.has(CREATE)
            && let Some(create) = known.entry(CREATE)?
        {
            known.event(create)?;
        }
        Some(())
    }

    fn prepare_event(&self, known: &mut Known, number: i64) -> Option<()> {
        let (place, event) = (known.place(number), known.event(number));
        let (Some(place), Some(event)) = (place?, event?) else {
            return Some(());
        };
        let keys = event.auth_keys.iter().flatten();
        let keys: BTreeSet<StateKey> = keys.filter_map(|key| key.key).collect();
        let mut lacking = BTreeSet::new();
        let mut is_known = true;
        for key in keys {
            if !self.sources.entries || self.conflicts.has(key) {
                lacking.insert(key);
                continue;
            }
            match known.entry(key) {
                Some(Some(entry)) => is_known &= known.event(entry).is_some(),
                Some(None) => {
                    lacking.insert(key);
                }
                None => is_known = false,
            }
        }
        if self.sources.auth_events {
            let auth_events = place.auth_events.iter();
            is_known &= auth_events.fold(true, |all, auth_event| {
                all & prepare_cited(known, *auth_event, &lacking)
            });
        }
        is_known.then_some(())
    }

    /// Enters the events, in their order, that the state allows.
    pub(super) fn enter(&mut self, known: &Known, events: &[i64]) {
        for number in events {
            let Some(place) = known.known_place(*number) else {
                continue;
            };
            if self.allows(known, *number) {
                self.entries.insert(place.key, *number);
            }
        }
    }

    /// Enters an event without asking.
    pub(super) fn put(&mut self, key: StateKey, event: i64) {
        self.entries.insert(key, event);
    }

    /// Takes an entry out.
    pub(super) fn remove(&mut self, key: StateKey) {
        self.entries.remove(&key);
    }

    /// What was entered.
    pub(super) fn entries(&self) -> &BTreeMap<StateKey, i64> {
        &self.entries
    }

    /// What the state holds under a key.
    pub(super) fn get(&self, known: &Known, key: StateKey) -> Option<i64> {
        let entry = || {
            let agreed = self.sources.entries && !self.conflicts.has(key);
            agreed.then(|| known.known_entry(key)).flatten()
        };
        self.entries.get(&key).copied().or_else(entry)
    }

    /// The event that created the room, if the forks agree about it.
    pub(super) fn create<'a>(&self, known: &'a Known) -> Option<&'a Event> {
        if self.conflicts.has(CREATE) {
            return None;
        }
        let create = known.known_event(known.known_entry(CREATE)?)?;
        Some(&create.event)
    }

    /// Whether the state allows an event.
    pub(super) fn allows(&self, known: &Known, number: i64) -> bool {
        let Some(event) = known.known_event(number) else {
            return false;
        };
        let Some(keys) = &event.auth_keys else {
            return false;
        };
        let find = |event_type: &str, state_key: &str| {
            if known.create_is_implied && event_type == "m.room.create" {
                return self.create(known);
            }
            let is_it = |key: &&AuthKey| key.event_type == event_type && key.state_key == state_key;
            let key = keys.iter().find(is_it)?.key?;
            let held = self.get(known, key);
            let held = held.and_then(|held| known.known_event(held));
            let found = held.or_else(|| self.cited(known, number, key))?;
            Some(&*found.event)
        };
        auth::check_dependent(&known.version, &event.event, find).is_ok()
    }

    /// What an event cites under a key.
    fn cited<'a>(
        &self,
        known: &'a Known,
        event: i64,
        key: StateKey,
    ) -> Option<&'a Arc<StateEvent>> {
        if !self.sources.auth_events {
            return None;
        }
        let mut auth_events = known.known_place(event)?.auth_events.iter();
        let is_it = |event: &&i64| known.known_place(**event).is_some_and(|it| it.key == key);
        known.known_event(*auth_events.find(is_it)?)
    }
}

/// Asks for an event that another cites, if the state lacks what it sets; whether it is known.
fn prepare_cited(known: &mut Known, event: i64, lacking: &BTreeSet<StateKey>) -> bool {
    match known.place(event) {
        Some(Some(place)) if lacking.contains(&place.key) => known.event(event).is_some(),
        Some(_) => true,
        None => false,
    }
}
