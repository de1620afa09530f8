//! The algorithm of room version 1, written down as the specification words it.

use std::collections::{BTreeMap, BTreeSet};

use sha1::{Digest as _, Sha1};

use super::world::{StateMap, World};
use crate::{
    auth,
    trie::{StateKey, TYPE_JOIN_RULES, TYPE_MEMBER, TYPE_POWER_LEVELS},
};

/// The state that these resolve to.
pub(super) fn literally(world: &World, forks: &[StateMap]) -> StateMap {
    let mut events: BTreeMap<StateKey, BTreeSet<i64>> = BTreeMap::new();
    for (key, event) in forks.iter().flatten() {
        events.entry(*key).or_default().insert(*event);
    }
    let (single, conflicting): (BTreeMap<_, _>, BTreeMap<_, _>) = events
        .into_iter()
        .partition(|(_, events)| events.len() == 1);
    let single = single.into_iter();
    let mut resolved: StateMap = single
        .map(|(key, events)| (key, *events.first().unwrap()))
        .collect();
    for event_type in [TYPE_POWER_LEVELS, TYPE_JOIN_RULES, TYPE_MEMBER] {
        let before = resolved.clone();
        let of_type = conflicting.iter();
        for (key, events) in of_type.filter(|(key, _)| key.event_type == event_type) {
            let mut state = before.clone();
            let mut list = sorted(world, events).into_iter();
            state.insert(*key, list.next().unwrap());
            while let Some(event) = list.next().filter(|next| allows(world, &state, *next)) {
                state.insert(*key, event);
            }
            resolved.insert(*key, state[key]);
        }
    }
    let before = resolved.clone();
    for (key, events) in &conflicting {
        if before.contains_key(key) {
            continue;
        }
        let mut best = sorted(world, events);
        best.reverse();
        let passes = best.iter().find(|event| allows(world, &before, **event));
        let least = best.last().unwrap();
        resolved.insert(*key, *passes.unwrap_or(least));
    }
    resolved
}

fn sorted(world: &World, events: &BTreeSet<i64>) -> Vec<i64> {
    let mut sorted: Vec<i64> = events.iter().copied().collect();
    let hash = |event: &i64| {
        let hash: [u8; 20] = Sha1::digest(world.events[event].event_id.as_bytes()).into();
        hash
    };
    sorted.sort_by(|a, b| {
        let depths = world.events[a].depth.cmp(&world.events[b].depth);
        depths.then_with(|| hash(b).cmp(&hash(a)))
    });
    sorted
}

fn allows(world: &World, state: &StateMap, event: i64) -> bool {
    let find = |event_type: &str, state_key: &str| {
        let mut entries = state.values().map(|number| &world.events[number]);
        entries
            .find(|event| event.is(event_type, state_key))
            .map(AsRef::as_ref)
    };
    auth::check_dependent(&world.version, &world.events[&event], find).is_ok()
}
