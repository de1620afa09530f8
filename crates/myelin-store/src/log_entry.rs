//! One entry of the log, with its position.

use bytes::Bytes;

use crate::LogKind;

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
