//! What the store has done so far: tests assert these counts, never times.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A snapshot of the counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Statements of readers and of the committer.
    pub statements: u64,
    /// Rows that readers received.
    pub rows_read: u64,
    /// Rows that were put, changed or deleted, log rows included.
    pub rows_written: u64,
    /// Commits of the committer.
    pub batches: u64,
    /// Trie nodes loaded, as reported by those who walk tries.
    pub trie_nodes_read: u64,
}

/// The running counters.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) statements: AtomicU64,
    pub(crate) rows_read: AtomicU64,
    pub(crate) rows_written: AtomicU64,
    pub(crate) batches: AtomicU64,
    pub(crate) trie_nodes_read: AtomicU64,
}

impl Counters {
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            statements: self.statements.load(Relaxed),
            rows_read: self.rows_read.load(Relaxed),
            rows_written: self.rows_written.load(Relaxed),
            batches: self.batches.load(Relaxed),
            trie_nodes_read: self.trie_nodes_read.load(Relaxed),
        }
    }

    pub(crate) fn read(&self, rows: usize) {
        self.statements.fetch_add(1, Relaxed);
        self.rows_read.fetch_add(rows as u64, Relaxed);
    }
}
