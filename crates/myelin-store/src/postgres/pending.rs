//! A decided batch on its way to be committed.

use crate::{Committed, LogEntry, Row, StoreError, StoreResult, WriteSet};

/// A decided batch that lacks its positions.
#[derive(Debug)]
pub(super) struct Pending {
    /// For each set the rows that it took, or None if it fell.
    pub(super) outcomes: Vec<Option<Vec<Option<Row>>>>,
    pub(super) entries: i64,
    pub(super) statements: u64,
    pub(super) rows: u64,
}

impl Pending {
    /// The answers and log entries, once the position after the batch is known.
    pub(super) fn finish(
        self,
        sets: &[&WriteSet],
        position: i64,
    ) -> (Vec<StoreResult<Committed>>, Vec<LogEntry>) {
        let mut pos = position - self.entries;
        let mut entries = Vec::new();
        let outcomes = self.outcomes.into_iter().zip(sets).map(|(taken, set)| {
            let taken = taken.ok_or(StoreError::Conflict)?;
            let before = pos;
            for write in set.entries(&taken) {
                pos += 1;
                entries.push(write.at(pos));
            }
            Ok(Committed::new(before, pos, taken))
        });
        let outcomes = outcomes.collect();
        (outcomes, entries)
    }
}
