//! Whether an event is in the auth chain of all forks, found from below.
//!
//! The forks agree about nearly all of their entries, too many to walk their auth chains. So the search
//! goes the other way: from the event up to those that cite it, the newest first, until it meets an entry
//! in which all forks agree. In a live room that is near: of those who cite an event the newest ones are
//! mostly still in force. Only an event that nobody builds on any more has all of its descendants
//! looked at, and those are known from then on.

use std::collections::{BinaryHeap, HashMap};

use super::{
    conflicts::Conflicts,
    known::{Asked, Known},
};

/// Events from which a search goes on at the same time.
const WIDTH: usize = 4;

/// A search that has met so many events has a long way to go.
const LONG: usize = 32;
/// How far it then follows the newest at once.
const CLIMB: usize = 128;

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
    /// All events met, each with that which led to it, which it cites.
    met: HashMap<i64, i64>,
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
            met: HashMap::from([(event, event)]),
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
            if let Some(found) = self.agreed_entry(known, conflicts)? {
                self.found(found, verdicts);
                return Some(true);
            }
            if self.open.is_empty() {
                self.open_next();
            }
            if self.open.is_empty() {
                let nowhere = self.met.keys().map(|event| (*event, false));
                verdicts.0.extend(nowhere);
                return Some(false);
            }
            if let Some(found) = self.climb(known, verdicts)? {
                self.found(found, verdicts);
                return Some(true);
            }
        }
    }

    /// With an event all that led to it is in all auth chains, so that no search goes there again.
    fn found(&self, mut event: i64, verdicts: &mut Verdicts) {
        while let Some(cited) = self.met.get(&event) {
            verdicts.set(event, true);
            if *cited == event {
                return;
            }
            event = *cited;
        }
    }

    /// That of the candidates which is an entry in which all forks agree.
    fn agreed_entry(&mut self, known: &mut Known, conflicts: &Conflicts) -> Asked<Option<i64>> {
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
                Some(entry) if entry == Some(event) => return Some(Some(event)),
                Some(_) => {}
                None => unknown.push(event),
            }
        }
        self.candidates = unknown;
        self.candidates.is_empty().then_some(None)
    }

    /// Looks at what cites the open events, for one that is known to be in all auth chains.
    fn climb(&mut self, known: &mut Known, verdicts: &Verdicts) -> Asked<Option<i64>> {
        let climb = if self.is_long() { CLIMB } else { 0 };
        let mut waiting = Vec::new();
        for open in std::mem::take(&mut self.open) {
            let Some((citing, is_complete)) = known.citing(open.event, open.looked_at, climb)
            else {
                waiting.push(open);
                continue;
            };
            if !is_complete && let Some(last) = citing.last() {
                let looked_at = open.looked_at + citing.len();
                self.frontier.push((*last, Open { looked_at, ..open }));
            }
            let mut new = citing.to_vec();
            new.retain(|event| !self.met.contains_key(event));
            self.met
                .extend(new.iter().map(|event| (*event, open.event)));
            let mut in_all = new.iter().filter(|it| verdicts.get(**it) == Some(true));
            if let Some(found) = in_all.next() {
                return Some(Some(*found));
            }
            // Above those that are not in all is nothing that is.
            let unknown = new.into_iter();
            let unknown = unknown.filter(|event| verdicts.get(*event).is_none());
            unknown.for_each(|event| self.meet(event));
        }
        self.open = waiting;
        (self.open.is_empty() || !self.candidates.is_empty()).then_some(None)
    }

    fn open_next(&mut self) {
        // On a long way the newest goes first, for what it leads to may be known already.
        let width = if self.is_long() { 1 } else { WIDTH };
        let next = std::iter::from_fn(|| self.frontier.pop()).take(width);
        self.open = next.map(|(_, open)| open).collect();
    }

    fn is_long(&self) -> bool {
        self.met.len() >= LONG
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
