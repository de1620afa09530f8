//! What wakes those who wait for the log.

use bytes::Bytes;

use crate::{LogKind, engine::Engine};

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Its position.
    pub pos: i64,
    /// What happened.
    pub kind: LogKind,
    /// The interned room or user that it happened to.
    pub subject: i64,
    /// The event number, room or row that it is about.
    pub reference: i64,
    /// What followers need without reading further.
    pub data: Bytes,
}

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
