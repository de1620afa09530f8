//! What wakes those who wait for the log.

use crate::{LogEntry, engine::Engine};

/// The newest part of the log, and those who wait for more.
#[derive(Debug)]
pub struct Live {
    engine: Engine,
}

impl Live {
    /// `position` is the counter at the time of opening.
    pub(crate) fn new(engine: Engine, _position: i64) -> Self {
        Self { engine }
    }

    /// Called by the committer after a commit and before its answers, with entries at `first` and
    /// the positions that follow without a gap.
    pub(crate) fn publish(&self, first: i64, entries: Vec<LogEntry>) {
        let _ = (&self.engine, first, entries);
    }
}
