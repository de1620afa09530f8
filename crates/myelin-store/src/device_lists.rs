//! Log entries of kind [`LogKind::DeviceList`]: whose devices or cross-signing keys have changed.
//!
//! An entry names the rooms that its user was joined to, so that it wakes those who wait in them,
//! and a reader finds out without a look into the database whether it is about anybody they know.
//! Each device has an entry of its own, whose position is what other servers know as the `stream_id`
//! of its change.

use bytes::Bytes;

use crate::{
    LogEntry, LogKind, LogWrite, Read, StoreResult, WriteSet, log, one_time_keys::number_of,
};

/// The reference of an entry about the cross-signing keys of its subject, or about whatever another
/// server has not told.
const KEYS: i64 = 0;
/// The bytes that hold the length of the device id.
const LEN: usize = 2;

/// Tells all who share one of these rooms with a user that a device of the user has changed, come or
/// gone.
pub fn log_device(writes: &mut WriteSet, (user, device_id): (i64, &str), rooms: &[i64]) {
    // Below 0 nobody is a user: see `log_view`.
    let reference = i64::MIN | number_of(device_id);
    write(writes, (user, reference), (device_id, rooms));
}

/// The same of the user's cross-signing keys; or of anything, where the user is another server's.
pub fn log_keys(writes: &mut WriteSet, user: i64, rooms: &[i64]) {
    write(writes, (user, KEYS), ("", rooms));
}

fn write(
    writes: &mut WriteSet,
    (subject, reference): (i64, i64),
    (device_id, rooms): (&str, &[i64]),
) {
    let len = u16::try_from(device_id.len()).unwrap_or_default();
    let mut data = len.to_be_bytes().to_vec();
    data.extend_from_slice(&device_id.as_bytes()[..len.into()]);
    data.extend(rooms.iter().flat_map(|room| room.to_be_bytes()));
    writes.log(LogWrite {
        kind: LogKind::DeviceList,
        subject,
        reference,
        data: data.into(),
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
        other if entry.kind == LogKind::DeviceList && other > KEYS => other,
        _ => entry.subject,
    }
}

/// The device that an entry is about; None: the user's cross-signing keys, or another user's keys.
pub fn device(entry: &LogEntry) -> Option<&str> {
    let (id, _) = parts(entry)?;
    std::str::from_utf8(id).ok().filter(|id| !id.is_empty())
}

/// The rooms that an entry names; none for entries of other kinds.
pub fn rooms(entry: &LogEntry) -> impl Iterator<Item = i64> + '_ {
    let (_, rooms) = parts(entry).unwrap_or_default();
    let (rooms, _) = rooms.as_chunks::<8>();
    rooms.iter().map(|room| i64::from_be_bytes(*room))
}

/// The device id and the rooms of an entry.
fn parts(entry: &LogEntry) -> Option<(&[u8], &[u8])> {
    if entry.kind != LogKind::DeviceList {
        return None;
    }
    let (len, rest) = entry.data.split_at_checked(LEN)?;
    let len = u16::from_be_bytes(len.try_into().ok()?);
    rest.split_at_checked(len.into())
}

/// The entries after one position up to another, at most `limit`, the oldest first. Cost: the
/// devices that have changed.
pub async fn list(read: &mut Read, span: (i64, i64), limit: i64) -> StoreResult<Vec<LogEntry>> {
    log::list_device_lists(read, span, limit).await
}

/// The last change of each of a user's devices, the oldest first.
pub async fn list_of_user(read: &mut Read, user: i64) -> StoreResult<Vec<LogEntry>> {
    log::list_device_lists_of(read, user).await
}

/// The position of the last change of any device of a user before another position; 0: there was
/// none.
pub async fn find_change_before(read: &mut Read, user: i64, before: i64) -> StoreResult<i64> {
    log::find_device_list_before(read, user, before).await
}

#[cfg(test)]
mod tests;
