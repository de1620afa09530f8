//! State resolution: what the state of a room is where its graph has forked.
//!
//! [`Resolution`] is a step machine as those of the trie are: it says what it needs of the nodes of
//! the states, of the graph of auth events and of whole events, and takes what was loaded. Nothing in
//! here knows where that comes from.
//!
//! # How the cost follows the difference
//!
//! - The *conflicted keys* are the differences of the forks' tries.
//! - The *auth difference* is walked downwards from the conflicted events, in the order of their
//!   generations, and ends where all forks have an event in their auth chains: what lies below it,
//!   all have too (`auth_difference`).
//! - Whether an event is in the auth chain of any of the many entries in which the forks agree is
//!   found by walking upwards from it, newest first, to the first such entry (`search`).
//! - Mainlines are walked as far as the events at hand need them (`mainline`).
//!
//! Of a fork of k events in a room of any size and age, O(k log n) nodes of the tries are read. No
//! event costs more than its place in the graph: a chain made to be long is walked at most once, and
//! a limit ends the walk ([`GRAPH_MAX`]).
//!
//! # Where we follow the network
//!
//! Where other servers agree with each other and the text of the specification says less or something
//! else, rooms only converge if we do what they do:
//!
//! - the auth chain of a state holds the events of that state themselves;
//! - `m.room.create` is a power event, and power levels, join rules and create are such only with an
//!   empty state key;
//! - the auth chain of a power event is followed within the full conflicted set only;
//! - version 1: if no event of a key passes, the one with the least depth stays.

mod auth_difference;
mod checks;
mod conflicts;
mod graph;
mod known;
mod mainline;
mod power_order;
mod search;
mod subgraph;
#[cfg(test)]
mod tests;
mod version1;
mod version2;

use std::{collections::HashSet, sync::Arc};

use ruma::{
    RoomVersionId,
    room_version_rules::{StateResolutionV2Rules, StateResolutionVersion},
};

pub use graph::AuthNode;
pub use known::{AuthKey, Citing, Found, StateEvent, Wanted};

use self::{
    conflicts::{Conflicts, FindConflicts},
    known::Known,
    version1::Version1,
    version2::Version2,
};
use crate::trie::{Apply, Machine as _, NodeHash, Root, StateKey, TrieError};

/// Most states that are resolved at once.
pub const FORKS_MAX: usize = 64;

/// Most places in the graph of auth events that one resolution looks at, so that it holds some tens of
/// megabytes at worst.
pub const GRAPH_MAX: usize = 200_000;

/// Most events that one resolution loads whole, for the same reason.
pub const EVENTS_MAX: usize = 50_000;

/// Why states could not be resolved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolutionError {
    /// What is stored is not a state.
    #[error("a state cannot be read")]
    Trie(#[from] TrieError),
    /// The rules of this version are not known.
    #[error("room version `{0}` is not known")]
    UnknownRoomVersion(RoomVersionId),
    /// More than [`FORKS_MAX`] different states.
    #[error("{0} states are too many to be resolved")]
    TooManyForks(usize),
    /// More than [`GRAPH_MAX`] places, or [`EVENTS_MAX`] events, would have to be looked at.
    #[error("the states are too far apart to be resolved")]
    TooFarApart,
    /// `finish` was called while something was wanted.
    #[error("the resolution was not driven to its end")]
    Unfinished,
}

/// The state that forks resolve to.
#[derive(Debug)]
pub struct Resolved {
    /// Its root.
    pub root: Root,
    /// Those of its nodes that were not among the nodes read.
    pub nodes: Vec<(NodeHash, Vec<u8>)>,
    /// In how many keys the forks differed.
    pub conflicted_keys: usize,
    /// How many events were weighed.
    pub events: usize,
}

/// The resolution of some states of a room.
#[derive(Debug)]
pub struct Resolution {
    known: Known,
    phase: Phase,
    conflicted_keys: usize,
    events: usize,
    rules: Option<StateResolutionV2Rules>,
}

#[derive(Debug)]
enum Phase {
    Conflicts(FindConflicts),
    Version1(Version1),
    Version2(Box<Version2>),
    Apply(Apply),
}

impl Resolution {
    /// Starts to resolve the states with these roots, in any order.
    pub fn new(version: &RoomVersionId, forks: &[Root]) -> Result<Resolution, ResolutionError> {
        let rules = version
            .rules()
            .ok_or_else(|| ResolutionError::UnknownRoomVersion(version.clone()))?;
        let mut seen = HashSet::new();
        let mut forks = forks.to_vec();
        forks.retain(|fork| seen.insert(*fork));
        if forks.len() > FORKS_MAX {
            return Err(ResolutionError::TooManyForks(forks.len()));
        }
        let first = forks.first().copied().unwrap_or_default();
        let mut resolution = Resolution {
            known: Known::new(version.clone(), &rules, first),
            phase: Phase::Conflicts(FindConflicts::new(&forks)),
            conflicted_keys: 0,
            events: 0,
            rules: match rules.state_res {
                StateResolutionVersion::V2(rules) => Some(rules),
                _ => None,
            },
        };
        resolution.advance()?;
        Ok(resolution)
    }

    /// What must be loaded before it can go on; empty when it can finish.
    pub fn wanted(&self) -> Wanted {
        self.known.wanted()
    }

    /// Takes what was wanted, all of it at once, and goes on. What is not stored, or was rejected, is
    /// left out: it takes no part.
    pub fn supply(&mut self, found: Found) -> Result<(), ResolutionError> {
        self.known.supply(found)?;
        self.advance()
    }

    /// The result, once nothing is wanted.
    pub fn finish(self) -> Result<Resolved, ResolutionError> {
        let Phase::Apply(apply) = self.phase else {
            return Err(ResolutionError::Unfinished);
        };
        let (root, nodes) = apply.finish()?;
        Ok(Resolved {
            root,
            nodes,
            conflicted_keys: self.conflicted_keys,
            events: self.events,
        })
    }

    /// Goes as far as what is known allows.
    fn advance(&mut self) -> Result<(), ResolutionError> {
        loop {
            self.known.advance_lookups()?;
            let step = match &mut self.phase {
                Phase::Conflicts(find) => find.advance(&mut self.known)?.map(Next::Conflicts),
                Phase::Version1(resolve) => resolve.advance(&mut self.known).map(Next::Changes),
                Phase::Version2(resolve) => resolve.advance(&mut self.known).map(Next::Changes),
                Phase::Apply(apply) => {
                    self.known.pump(apply)?;
                    return Ok(());
                }
            };
            match step {
                Some(next) => self.phase = self.enter(next)?,
                // A lookup may find all its nodes among those read before.
                None if self.known.advance_lookups()? => {}
                None => return self.known.check_limit(),
            }
        }
    }

    fn enter(&mut self, next: Next) -> Result<Phase, ResolutionError> {
        match next {
            Next::Conflicts(conflicts) => Ok(self.start(Arc::new(conflicts))),
            Next::Changes(changes) => {
                self.events = changes.events;
                let apply = Apply::new(self.known.first, changes.entries)?;
                Ok(Phase::Apply(apply))
            }
        }
    }

    fn start(&mut self, conflicts: Arc<Conflicts>) -> Phase {
        self.conflicted_keys = conflicts.keys.len();
        match &self.rules {
            Some(rules) => Phase::Version2(Box::new(Version2::new(*rules, conflicts))),
            None => Phase::Version1(Version1::new(conflicts)),
        }
    }
}

enum Next {
    Conflicts(Conflicts),
    Changes(Changes),
}

/// What makes the resolved state of that of the first fork.
#[derive(Debug)]
struct Changes {
    entries: Vec<(StateKey, Option<i64>)>,
    events: usize,
}
