//! The conflicted state subgraph of version 2.1: what lies on paths of auth events from one conflicted
//! event to another.
//!
//! From above, everything that a conflicted event cites may lead to another one; from below,
//! everything that cites one may be cited by another. Neither may be walked to its end: the one ends at
//! the room's first event, the other may have thousands of members. So each conflicted event is first
//! looked at from below: mostly a handful of events cite it, and that settles what leads to it. The
//! others set a bound to the walk from above, for nothing leads to an event of a generation as high.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use super::{AuthNode, known::Known};

/// Most events above a conflicted event that are looked at from below.
const ABOVE_MAX: usize = 64;

/// Finds the conflicted state subgraph.
#[derive(Debug)]
pub(super) struct Subgraph {
    conflicted: BTreeSet<i64>,
    /// Conflicted events whose descendants are being looked at.
    climbs: Vec<Climb>,
    /// All that leads to those conflicted events that have been looked at from below.
    above: HashSet<i64>,
    /// What leads to any other conflicted event has a greater generation.
    floor: Option<i64>,
    arrivals: BTreeSet<i64>,
    /// What the conflicted events lead to, by generation.
    walked: BTreeMap<(i64, i64), Arc<AuthNode>>,
    is_walking: bool,
}

/// A conflicted event, and what was found above it.
#[derive(Debug)]
struct Climb {
    event: i64,
    seen: HashSet<i64>,
    /// Events, with how many of those that cite them were looked at.
    open: Vec<(i64, usize)>,
}

impl Subgraph {
    pub(super) fn new(conflicted: BTreeSet<i64>) -> Subgraph {
        let climb = |event: &i64| Climb {
            event: *event,
            seen: HashSet::from([*event]),
            open: vec![(*event, 0)],
        };
        Subgraph {
            climbs: conflicted.iter().map(climb).collect(),
            arrivals: conflicted.clone(),
            conflicted,
            above: HashSet::new(),
            floor: None,
            walked: BTreeMap::new(),
            is_walking: false,
        }
    }

    /// Goes on: the subgraph, or None while something has to be loaded.
    pub(super) fn advance(&mut self, known: &mut Known) -> Option<BTreeSet<i64>> {
        if !self.is_walking {
            self.climb(known)?;
            self.is_walking = true;
        }
        while !self.arrivals.is_empty() {
            let arrivals = std::mem::take(&mut self.arrivals);
            let mut waiting = arrivals.clone();
            waiting.retain(|event| known.place(*event).is_none());
            let places = arrivals.into_iter();
            let places = places.filter_map(|event| known.known_place(event));
            places.for_each(|place| self.walk(Arc::clone(place)));
            if !waiting.is_empty() {
                self.arrivals.extend(waiting);
                return None;
            }
        }
        Some(self.leading())
    }

    /// Looks at all conflicted events from below.
    fn climb(&mut self, known: &mut Known) -> Option<()> {
        for mut climb in std::mem::take(&mut self.climbs) {
            // What was not accepted takes no part.
            match known.place(climb.event) {
                Some(Some(place)) => match climb.advance(known) {
                    None => self.climbs.push(climb),
                    Some(true) => self.above.extend(climb.seen),
                    Some(false) => {
                        let floor = self.floor.unwrap_or(place.generation);
                        self.floor = Some(floor.min(place.generation));
                    }
                },
                Some(None) => {}
                None => self.climbs.push(climb),
            }
        }
        self.climbs.is_empty().then_some(())
    }

    /// Whether an event may be one of the subgraph.
    fn may_lead_on(&self, place: &AuthNode) -> bool {
        self.conflicted.contains(&place.event)
            || self.above.contains(&place.event)
            || self.floor.is_some_and(|floor| place.generation > floor)
    }

    fn walk(&mut self, place: Arc<AuthNode>) {
        let at = (place.generation, place.event);
        if !self.may_lead_on(&place) || self.walked.contains_key(&at) {
            return;
        }
        self.arrivals.extend(&place.auth_events);
        self.walked.insert(at, place);
    }

    /// Of all that was walked what leads to a conflicted event.
    fn leading(&self) -> BTreeSet<i64> {
        let mut leading = BTreeSet::new();
        for place in self.walked.values() {
            let leads_on = place
                .auth_events
                .iter()
                .any(|event| leading.contains(event));
            if leads_on || self.conflicted.contains(&place.event) {
                leading.insert(place.event);
            }
        }
        leading
    }
}

impl Climb {
    /// Goes on: whether all that leads to the event was found, or None while something has to be loaded.
    fn advance(&mut self, known: &mut Known) -> Option<bool> {
        let mut waiting = Vec::new();
        while let Some((event, looked_at)) = self.open.pop() {
            let Some((citing, is_complete)) = known.citing(event, looked_at, 0) else {
                waiting.push((event, looked_at));
                continue;
            };
            if !is_complete {
                self.open.push((event, looked_at + citing.len()));
            }
            let new = citing.iter().filter(|citing| self.seen.insert(**citing));
            self.open.extend(new.map(|citing| (*citing, 0)));
            if self.seen.len() > ABOVE_MAX {
                return Some(false);
            }
        }
        self.open = waiting;
        self.open.is_empty().then_some(true)
    }
}
