//! Log entries of kind [`LogKind::DeviceList`]: whose devices or cross-signing keys have changed.
//!
//! An entry names the rooms that its user was joined to, so that it wakes those who wait in them,
//! and a reader finds out without a look into the database whether it is about anybody they know.

use bytes::Bytes;

use crate::{LogEntry, LogKind, LogWrite, Read, StoreResult, WriteSet, log};

/// The reference of an entry about the devices of its subject.
const OWN: i64 = 0;

/// Tells all who share one of these rooms with a user that the user's devices or cross-signing keys
/// have changed.
pub fn log_change(writes: &mut WriteSet, user: i64, rooms: &[i64]) {
    let data = rooms.iter().flat_map(|room| room.to_be_bytes());
    writes.log(LogWrite {
        kind: LogKind::DeviceList,
        subject: user,
        reference: OWN,
        data: data.collect::<Vec<_>>().into(),
    });
}

/// Tells a user's devices that the user sees another's keys otherwise, by having signed them.
pub fn log_view(writes: &mut WriteSet, user: i64, other: i64) {
    writes.log(LogWrite {
        kind: LogKind::DeviceList,
        subject: user,
        reference: other,
        data: Bytes::new(),
    });
}

/// Whose keys an entry is about; for entries of other kinds the subject.
pub fn changed_user(entry: &LogEntry) -> i64 {
    match entry.reference {
        other if entry.kind == LogKind::DeviceList && other != OWN => other,
        _ => entry.subject,
    }
}

/// The rooms that an entry names; none for entries of other kinds.
pub fn rooms(entry: &LogEntry) -> impl Iterator<Item = i64> + '_ {
    let data: &Bytes = &entry.data;
    let data = if entry.kind == LogKind::DeviceList {
        &data[..]
    } else {
        &[]
    };
    let (rooms, _) = data.as_chunks::<8>();
    rooms.iter().map(|room| i64::from_be_bytes(*room))
}

/// All entries after one position up to another. Cost: the users whose devices have changed.
pub async fn list(read: &mut Read, span: (i64, i64)) -> StoreResult<Vec<LogEntry>> {
    log::list_device_lists(read, span).await
}

#[cfg(test)]
mod tests;
