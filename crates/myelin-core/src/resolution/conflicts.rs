//! Where the forks differ.

use std::collections::BTreeMap;

use super::{ResolutionError, known::Known};
use crate::trie::{Difference, Machine as _, Root, StateKey, Together};

/// The conflicted keys, and what each of the forks has there.
#[derive(Debug)]
pub(super) struct Conflicts {
    pub(super) forks: usize,
    pub(super) keys: BTreeMap<StateKey, Vec<Option<i64>>>,
}

impl Conflicts {
    /// Whether the forks disagree about a key.
    pub(super) fn has(&self, key: StateKey) -> bool {
        self.keys.contains_key(&key)
    }

    /// The conflicted events, each with the set of forks whose state it is in.
    pub(super) fn events(&self) -> BTreeMap<i64, u64> {
        let mut events = BTreeMap::new();
        for values in self.keys.values() {
            let values = values.iter().enumerate();
            for (fork, event) in values.filter_map(|(fork, value)| Some((fork, (*value)?))) {
                *events.entry(event).or_default() |= 1 << fork;
            }
        }
        events
    }
}

/// Finds the conflicted keys: compares each fork with the first one.
#[derive(Debug)]
pub(super) struct FindConflicts {
    forks: usize,
    differences: Option<Together<Difference>>,
}

impl FindConflicts {
    pub(super) fn new(forks: &[Root]) -> FindConflicts {
        let others = forks.iter().skip(1);
        let differences = others.map(|other| Difference::new(forks[0], *other));
        FindConflicts {
            forks: forks.len(),
            differences: Some(Together::new(differences.collect())),
        }
    }

    pub(super) fn advance(
        &mut self,
        known: &mut Known,
    ) -> Result<Option<Conflicts>, ResolutionError> {
        let Some(mut differences) = self.differences.take() else {
            return Err(ResolutionError::Unfinished);
        };
        if !known.pump(&mut differences)? {
            self.differences = Some(differences);
            return Ok(None);
        }
        let mut keys: BTreeMap<StateKey, Vec<Option<i64>>> = BTreeMap::new();
        for (index, changed) in differences.finish()?.into_iter().enumerate() {
            for entry in changed {
                let values = keys
                    .entry(entry.key)
                    .or_insert_with(|| vec![entry.before; self.forks]);
                values[index + 1] = entry.after;
            }
        }
        Ok(Some(Conflicts {
            forks: self.forks,
            keys,
        }))
    }
}
