//! Whether an event is in the auth chain of all forks, found from below.
//!
//! The forks agree about nearly all of their entries, too many to walk their auth chains. So the search
//! goes the other way: from the event up to those that cite it, the newest first, until it meets an entry
//! in which all forks agree. In a live room that is near: of those who cite an event the newest ones are
//! mostly still in force. Only an event that nobody builds on any more has all of its descendants
//! looked at, and those are known from then on.

use std::collections::{BinaryHeap, HashMap, HashSet};

use super::{conflicts::Conflicts, known::Known};

/// Events from which a search goes on at the same time.
const WIDTH: usize = 4;

/// What the searches of one resolution have found out.
#[derive(Debug, Default)]
pub(super) struct Verdicts(HashMap<i64, bool>);

impl Verdicts {
    /// Whether an event is in all auth chains, if that is known.
    pub(super) fn get(&self, event: i64) -> Option<bool> {
        self.0.get(&event).copied()
    }

    pub(super) fn set(&mut self, event: i64, is_in_all: bool) {
        self.0.insert(event, is_in_all);
    }
}

/// The search for one event.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) event: i64,
    /// Where it goes on, the newest first: an event, and how many of those that cite it were looked at.
    frontier: BinaryHeap<(i64, Open)>,
    /// What it works on until that is known.
    open: Vec<Open>,
    /// Events that may be entries in which the forks agree.
    candidates: Vec<i64>,
    seen: HashSet<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Open {
    event: i64,
    looked_at: usize,
}

impl Search {
    pub(super) fn new(event: i64) -> Search {
        Search {
            event,
            frontier: BinaryHeap::from([(
                event,
                Open {
                    event,
                    looked_at: 0,
                },
            )]),
            open: Vec::new(),
            candidates: vec![event],
            seen: HashSet::from([event]),
        }
    }

    /// Goes on: the verdict, or None while something has to be loaded.
    pub(super) fn advance(
        &mut self,
        known: &mut Known,
        conflicts: &Conflicts,
        verdicts: &mut Verdicts,
    ) -> Option<bool> {
        loop {
            if self.has_agreed_entry(known, conflicts)? {
                return Some(true);
            }
            if self.open.is_empty() {
                let next = std::iter::from_fn(|| self.frontier.pop()).take(WIDTH);
                self.open = next.map(|(_, open)| open).collect();
            }
            if self.open.is_empty() {
                let nowhere = self.seen.iter().map(|event| (*event, false));
                verdicts.0.extend(nowhere);
                return Some(false);
            }
            if self.climb(known, verdicts)? {
                return Some(true);
            }
        }
    }

    /// Whether one of the candidates is an entry in which all forks agree.
    fn has_agreed_entry(&mut self, known: &mut Known, conflicts: &Conflicts) -> Option<bool> {
        let mut unknown = Vec::new();
        for event in std::mem::take(&mut self.candidates) {
            let Some(place) = known.known_place(event) else {
                continue;
            };
            let key = place.key;
            if conflicts.has(key) {
                continue;
            }
            match known.entry(key) {
                Some(entry) if entry == Some(event) => return Some(true),
                Some(_) => {}
                None => unknown.push(event),
            }
        }
        self.candidates = unknown;
        self.candidates.is_empty().then_some(false)
    }

    /// Looks at what cites the open events; whether one of those is in all auth chains.
    fn climb(&mut self, known: &mut Known, verdicts: &Verdicts) -> Option<bool> {
        let mut waiting = Vec::new();
        for open in std::mem::take(&mut self.open) {
            let Some((citing, is_complete)) = known.citing(open.event, open.looked_at) else {
                waiting.push(open);
                continue;
            };
            if !is_complete && let Some(last) = citing.last() {
                let looked_at = open.looked_at + citing.len();
                self.frontier.push((*last, Open { looked_at, ..open }));
            }
            let new = citing.iter().copied();
            let new: Vec<i64> = new.filter(|event| self.seen.insert(*event)).collect();
            if new.iter().any(|event| verdicts.get(*event) == Some(true)) {
                return Some(true);
            }
            // Above those that are not in all is nothing that is.
            let unknown = new.into_iter();
            let unknown = unknown.filter(|event| verdicts.get(*event).is_none());
            unknown.for_each(|event| self.meet(event));
        }
        self.open = waiting;
        (self.open.is_empty() || !self.candidates.is_empty()).then_some(false)
    }

    fn meet(&mut self, event: i64) {
        self.candidates.push(event);
        let open = Open {
            event,
            looked_at: 0,
        };
        self.frontier.push((event, open));
    }
}
