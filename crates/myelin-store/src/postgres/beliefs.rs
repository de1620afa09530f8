//! What a node knows of the versions of rows from its own last commits: mostly, that is still true.

use std::collections::HashMap;

use super::plan::{Facts, Questions, RowKey};
use crate::{Key, Value};

/// Most versions remembered; then all are forgotten, and learnt again as they are asked for.
const VERSIONS_MAX: usize = 100_000;

/// Versions of rows as this node has last seen or written them. Other nodes may have moved them
/// since, so whoever builds on a belief lets the database confirm it.
#[derive(Debug, Default)]
pub(super) struct Beliefs {
    versions: HashMap<&'static str, HashMap<Key, i64>>,
    count: usize,
}

impl Beliefs {
    /// What the database would answer, if all of it is known.
    pub(super) fn facts<'a>(&self, questions: &Questions<'a>) -> Option<Facts<'a>> {
        if !questions.takes.is_empty() {
            return None;
        }
        let mut facts = Facts::default();
        for row in questions.expected.keys() {
            match self.version(row) {
                Some(version) => {
                    facts.versions.insert(*row, version);
                }
                // Whether a row is absent shows when it is inserted.
                None if questions.claims.contains_key(row) => {}
                None => return None,
            }
        }
        Some(facts)
    }

    /// Remembers what the database has answered.
    pub(super) fn learn(&mut self, facts: &Facts<'_>) {
        let versions = facts.versions.iter();
        self.update(versions.map(|(row, version)| (*row, Some(*version))));
    }

    /// Remembers what was committed.
    pub(super) fn update<'a>(
        &mut self,
        versions: impl IntoIterator<Item = (RowKey<'a>, Option<i64>)>,
    ) {
        if self.count >= VERSIONS_MAX {
            *self = Self::default();
        }
        for ((table, key), version) in versions {
            let rows = self.versions.entry(table).or_default();
            match (version, rows.get_mut(key)) {
                (Some(version), Some(known)) => *known = version,
                (Some(version), None) => {
                    rows.insert(key.to_vec(), version);
                    self.count += 1;
                }
                (None, _) => self.count -= usize::from(rows.remove(key).is_some()),
            }
        }
    }

    /// Forgets all that these questions are about.
    pub(super) fn forget(&mut self, questions: &Questions<'_>) {
        self.update(questions.expected.keys().map(|row| (*row, None)));
    }

    fn version(&self, (table, key): &(&'static str, &[Value])) -> Option<i64> {
        self.versions.get(table)?.get(*key).copied()
    }
}
