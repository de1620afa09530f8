//! Points at which a test makes the committer fail, as a crash or a lost connection would.

use parking_lot::Mutex;

/// A moment in the committer's work on one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CrashPoint {
    /// Nothing was sent yet.
    BeforeBegin,
    /// Expectations were checked, no row was written.
    AfterChecks,
    /// Rows were written, the log was not.
    AfterRows,
    /// Everything was written, nothing committed.
    BeforeCommit,
    /// Committed, but nobody was told.
    AfterCommit,
}

/// Which batches fail, and where. Shared between a test and the stores that it opened.
#[derive(Debug, Default)]
pub struct CrashPlan {
    next: Mutex<Vec<CrashPoint>>,
}

impl CrashPlan {
    /// The next batch that reaches `point` fails there, once.
    pub fn arm(&self, point: CrashPoint) {
        self.next.lock().push(point);
    }

    /// Forgets what has not happened.
    pub fn disarm(&self) {
        self.next.lock().clear();
    }

    /// Whether the batch that has reached `point` shall fail now.
    pub(crate) fn strikes(&self, point: CrashPoint) -> bool {
        let mut next = self.next.lock();
        let found = next.iter().position(|armed| *armed == point);
        found.map(|index| next.remove(index)).is_some()
    }
}
