//! What is to be sent to other servers: log entries of kind [`LogKind::Delivery`].

use bytes::Bytes;

use crate::{LogEntry, LogKind, LogWrite, Read, StoreResult, WriteSet, log};

/// Leaves an event to be sent to the other servers in its room, its sender's excepted. In the set
/// that adds the event, after its own log entry.
pub fn insert(writes: &mut WriteSet, room: i64, event: i64) {
    writes.log(LogWrite {
        kind: LogKind::Delivery,
        subject: room,
        reference: event,
        data: Bytes::new(),
    });
}

/// Leaves an event to be sent to one server in its room, which the others have been sent already.
pub fn insert_for(writes: &mut WriteSet, (room, event): (i64, i64), server: i64) {
    writes.log(LogWrite {
        kind: LogKind::Delivery,
        subject: room,
        reference: event,
        data: Bytes::copy_from_slice(&server.to_be_bytes()),
    });
}

/// What an entry of this kind asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// An event is to be sent.
    Event {
        /// The interned room id.
        room: i64,
        /// The event's number.
        event: i64,
        /// The server that alone is sent it; None: all in the room are.
        only: Option<i64>,
    },
    /// A server that could not be reached is to be tried again at once.
    Retry(i64),
}

impl Delivery {
    /// What an entry asks for; None for entries of other kinds.
    pub fn of(entry: &LogEntry) -> Option<Self> {
        let delivery = match (entry.kind, entry.reference) {
            (LogKind::Delivery, 0) => Self::Retry(entry.subject),
            (LogKind::Delivery, event) => Self::Event {
                room: entry.subject,
                event,
                only: entry.data.as_ref().try_into().ok().map(i64::from_be_bytes),
            },
            _ => return None,
        };
        Some(delivery)
    }
}

/// Asks for a server to be tried again at once, however long it has not been reached.
pub fn retry(writes: &mut WriteSet, server: i64) {
    insert(writes, server, 0);
}

/// The entries of a room after `after` up to `up_to`, oldest first, at most `limit`.
pub async fn list(
    read: &mut Read,
    room: i64,
    range: (i64, i64),
    limit: i64,
) -> StoreResult<Vec<LogEntry>> {
    log::list_oldest(read, (room, LogKind::Delivery), range, limit).await
}

/// The newest entries of a room after `after` up to `up_to`, at most `limit`, oldest first.
pub async fn list_newest(
    read: &mut Read,
    room: i64,
    range: (i64, i64),
    limit: i64,
) -> StoreResult<Vec<LogEntry>> {
    let kind = (room, LogKind::Delivery);
    let mut newest = log::list_newest(read, kind, range, limit).await?;
    newest.reverse();
    Ok(newest)
}
