//! Entering the events of a snapshot into the graph of auth events.

use std::collections::{HashMap, HashSet};

use myelin_core::{resolution::AuthNode, snapshot::Verdict, trie::StateKey};
use myelin_store::{StoreResult, WriteSet, auth_graph};

use super::Found;
use crate::Rooms;

/// Events whose places are looked up together.
const CHUNK: usize = 500;
/// Places of one slice; each has a row, and one for each of at most ten auth events.
const PLACES: usize = 150;

impl Rooms {
    /// Enters those events that were accepted and are stored: without a place none takes part in a
    /// resolution.
    pub(super) async fn enter_snapshot(
        &self,
        found: &[Found],
        verdicts: &[Verdict],
    ) -> StoreResult<()> {
        let accepted = found.iter().zip(verdicts);
        let accepted = accepted.filter(|(_, verdict)| **verdict == Verdict::Accepted);
        let accepted: Vec<&Found> = accepted.map(|(found, _)| found).collect();
        let mut places = self.known_places(&accepted).await?;
        let new: HashMap<&str, New<'_>> = accepted
            .into_iter()
            .filter(|found| !places.contains_key(found.event.event_id.as_str()))
            .filter_map(|found| {
                let new = New {
                    found,
                    number: found.number?,
                    key: found.key?,
                };
                Some((found.event.event_id.as_str(), new))
            })
            .collect();
        for slice in cited_first(&new).chunks(PLACES) {
            let mut writes = WriteSet::new();
            for id in slice {
                let new = &new[id];
                let auth_events = new.found.event.auth_events.iter();
                let auth_events = auth_events.filter_map(|id| places.get(id.as_str()));
                let place = AuthNode::new(new.number, new.key, auth_events);
                auth_graph::insert(&mut writes, &place);
                places.insert((*id).to_owned(), place);
            }
            self.store.commit_patiently(writes).await?;
        }
        Ok(())
    }

    /// The places of these events and of what they cite, as far as they have any.
    async fn known_places(&self, found: &[&Found]) -> StoreResult<HashMap<String, AuthNode>> {
        let ids = found.iter().flat_map(|found| {
            let cited = found.event.auth_events.iter();
            cited.chain([&found.event.event_id]).map(|id| id.as_str())
        });
        let mut ids: Vec<&str> = ids.collect();
        ids.sort_unstable();
        ids.dedup();
        let mut places = HashMap::new();
        for chunk in ids.chunks(CHUNK) {
            places.extend(auth_graph::list_by_ids(&mut self.store.read(), chunk).await?);
        }
        Ok(places)
    }
}

/// An event that has no place yet.
struct New<'a> {
    found: &'a Found,
    number: i64,
    key: StateKey,
}

/// The ids of the events, each after those that it cites.
fn cited_first<'a>(new: &HashMap<&'a str, New<'a>>) -> Vec<&'a str> {
    let mut ids: Vec<&str> = new.keys().copied().collect();
    // One order, whatever the map's.
    ids.sort_unstable();
    let mut ordered = Vec::with_capacity(ids.len());
    let (mut entered, mut left) = (HashSet::new(), HashSet::new());
    // Each is met twice: when it is entered, and when all that it cites has been.
    let mut open: Vec<&str> = ids;
    while let Some(id) = open.pop() {
        if entered.insert(id) {
            open.push(id);
            let cited = new[id].found.event.auth_events.iter();
            let cited = cited.filter_map(|id| new.get_key_value(id.as_str()));
            open.extend(cited.map(|(id, _)| *id).filter(|id| !entered.contains(id)));
        } else if left.insert(id) {
            ordered.push(id);
        }
    }
    ordered
}
