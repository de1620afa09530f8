//! What is to be written next.

use std::collections::BTreeSet;

use myelin_store::WriteSet;

/// A set with more rows than this is written before more is added.
const ROWS_MAX: usize = 1_000;

/// A write set in the making.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) writes: WriteSet,
    rows: usize,
    /// Whether it forgets members: that cannot stand in one set with what is written about them.
    pub(super) forgets: bool,
    /// Users and rooms whose join it notes.
    pub(super) joined: BTreeSet<(i64, i64)>,
    /// Rooms of which it says how far they are counted, or how somebody counts there.
    pub(super) stands: BTreeSet<i64>,
    /// Rooms about whose events it says something.
    pub(super) counted: BTreeSet<i64>,
}

impl Batch {
    /// Adds rows.
    pub(super) fn add(&mut self, rows: usize, write: impl FnOnce(&mut WriteSet)) {
        write(&mut self.writes);
        self.rows += rows;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows >= ROWS_MAX
    }
}
