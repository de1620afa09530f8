//! The auth difference: what is in the auth chains of some forks, but not of all.
//!
//! The auth chain of a fork is closed: with an event it has all that this one cites. So the walk from
//! the conflicted events downwards ends wherever an event is in all chains. Generations grow along each
//! edge; taken in their order, each event is met after all that cite it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    conflicts::Conflicts,
    known::Known,
    search::{Search, Verdicts},
};

/// Finds the auth difference of the forks.
#[derive(Debug)]
pub(super) struct AuthDifference {
    conflicts: Arc<Conflicts>,
    all: u64,
    /// Which forks' conflicted events lead to each event met.
    forks: HashMap<i64, u64>,
    /// Events met whose place is not known yet.
    arrivals: BTreeSet<i64>,
    /// Events to be looked at, by generation.
    queue: BTreeMap<i64, BTreeSet<i64>>,
    searches: Vec<Search>,
    verdicts: Verdicts,
    difference: BTreeSet<i64>,
}

impl AuthDifference {
    pub(super) fn new(conflicts: Arc<Conflicts>) -> AuthDifference {
        let forks: HashMap<i64, u64> = conflicts.events().into_iter().collect();
        AuthDifference {
            all: u64::MAX >> (64 - conflicts.forks.clamp(1, 64)),
            arrivals: forks.keys().copied().collect(),
            conflicts,
            forks,
            queue: BTreeMap::new(),
            searches: Vec::new(),
            verdicts: Verdicts::default(),
            difference: BTreeSet::new(),
        }
    }

    /// Goes on: the difference, or None while something has to be loaded.
    pub(super) fn advance(&mut self, known: &mut Known) -> Option<BTreeSet<i64>> {
        loop {
            self.arrive(known);
            if !self.arrivals.is_empty() {
                return None;
            }
            if self.searches.is_empty() && !self.take_generation() {
                return Some(std::mem::take(&mut self.difference));
            }
            self.advance_searches(known);
            if !self.searches.is_empty() {
                return None;
            }
        }
    }

    /// Puts events where they are in the graph.
    fn arrive(&mut self, known: &mut Known) {
        for event in std::mem::take(&mut self.arrivals) {
            match known.place(event) {
                Some(Some(place)) => {
                    let generation = self.queue.entry(place.generation).or_default();
                    generation.insert(event);
                }
                // What was not accepted is in no state and in no auth chain.
                Some(None) => {}
                None => {
                    // The search, if there has to be one, begins with what cites it.
                    known.citing(event, 0, 0);
                    self.arrivals.insert(event);
                }
            }
        }
    }

    /// Takes the events of the greatest generation; false if there are no more.
    fn take_generation(&mut self) -> bool {
        let Some((_, events)) = self.queue.pop_last() else {
            return false;
        };
        for event in events {
            if self.forks.get(&event) == Some(&self.all) {
                self.verdicts.set(event, true);
            } else {
                self.searches.push(Search::new(event));
            }
        }
        true
    }

    fn advance_searches(&mut self, known: &mut Known) {
        for mut search in std::mem::take(&mut self.searches) {
            let verdict = search.advance(known, &self.conflicts, &mut self.verdicts);
            let Some(is_in_all) = verdict else {
                self.searches.push(search);
                continue;
            };
            self.verdicts.set(search.event, is_in_all);
            if !is_in_all {
                self.descend(known, search.event);
            }
        }
    }

    /// What an event of the difference cites comes next.
    fn descend(&mut self, known: &Known, event: i64) {
        self.difference.insert(event);
        let forks = self.forks.get(&event).copied().unwrap_or_default();
        let place = known.known_place(event);
        for auth_event in place.iter().flat_map(|place| &place.auth_events) {
            *self.forks.entry(*auth_event).or_default() |= forks;
            self.arrivals.insert(*auth_event);
        }
    }
}
