//! What ruma makes of the same forks, with auth chains and subgraphs found by brute force.

use std::collections::{BTreeSet, HashMap};

use ruma::{
    EventId, OwnedEventId,
    events::StateEventType,
    state_res::{StateMap as RumaMap, resolve, utils::event_id_set::EventIdSet},
};

use super::world::{StateMap, World};
use crate::auth::View;

/// The state that these resolve to.
pub(super) fn oracle(world: &World, forks: &[StateMap]) -> StateMap {
    let rules = world.version.rules().unwrap();
    let ids: HashMap<&EventId, i64> = world
        .events
        .iter()
        .map(|(number, event)| (&*event.event_id, *number))
        .collect();
    let maps: Vec<RumaMap<OwnedEventId>> = forks
        .iter()
        .map(|fork| fork.values().map(|number| entry(world, *number)).collect())
        .collect();
    let chains = forks
        .iter()
        .map(|fork| ids_of(world, &chain(world, fork.values().copied())))
        .collect();
    let fetch = |id: &EventId| {
        let event = world.events.get(ids.get(id)?)?;
        Some(View::of(event, &rules.authorization))
    };
    let resolved = resolve(
        &rules.authorization,
        rules.state_res.v2_rules().unwrap(),
        &maps,
        chains,
        fetch,
        |conflicted| {
            let conflicted = conflicted.values().flatten();
            let conflicted: BTreeSet<i64> = conflicted.map(|id| ids[&**id]).collect();
            Some(ids_of(world, &subgraph(world, &conflicted)))
        },
    );
    let resolved = resolved.unwrap().into_values();
    resolved
        .map(|id| ids[&*id])
        .map(|number| (world.places[&number].key, number))
        .collect()
}

fn entry(world: &World, number: i64) -> ((StateEventType, String), OwnedEventId) {
    let event = &world.events[&number];
    let key = event.state_key.clone().unwrap();
    ((event.type_str().into(), key), event.event_id.clone())
}

fn ids_of(world: &World, numbers: &BTreeSet<i64>) -> EventIdSet<OwnedEventId> {
    let ids = numbers.iter();
    ids.map(|number| world.events[number].event_id.clone())
        .collect()
}

/// Events with all that they cite, and so on.
fn chain(world: &World, events: impl IntoIterator<Item = i64>) -> BTreeSet<i64> {
    let mut chain = BTreeSet::new();
    let mut open: Vec<i64> = events.into_iter().collect();
    while let Some(event) = open.pop() {
        if chain.insert(event) {
            open.extend(&world.places[&event].auth_events);
        }
    }
    chain
}

fn subgraph(world: &World, conflicted: &BTreeSet<i64>) -> BTreeSet<i64> {
    let below = chain(world, conflicted.iter().copied());
    let leads_on = |event: &i64| !chain(world, [*event]).is_disjoint(conflicted);
    below.into_iter().filter(leads_on).collect()
}
