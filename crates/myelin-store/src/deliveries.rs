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
