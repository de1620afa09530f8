//! Tables `to_device` and `to_device_queues`: messages between devices, until they have arrived.
//!
//! Each message has a log entry of kind [`LogKind::ToDevice`], which gives it its place in the
//! queue and goes with it. What is for devices of another server waits in a queue of that server:
//! its number stands for the user, and no device has an id like [`SERVER`].

use bytes::Bytes;

use crate::{
    LogEntry, LogKind, LogWrite, OnConflict, Param, Read, Row, StoreResult, Table, Value, WriteSet,
    bytes, int, log, sessions,
};

static TO_DEVICE: Table = Table {
    name: "to_device",
    key: &[int("user_number"), bytes("device_id"), int("message")],
    values: &[bytes("event")],
    version: None,
    on_conflict: OnConflict::Replace,
};

// What was ever sent only grows, so it serves as the version: who removes a queue must know of all
// that is in it.
static TO_DEVICE_QUEUES: Table = Table {
    name: "to_device_queues",
    key: &[int("user_number"), bytes("device_id")],
    values: &[int("sent"), int("looked_at")],
    version: Some(0),
    on_conflict: OnConflict::Replace,
};

/// What stands for the device id in the queue of a server.
pub const SERVER: &str = "";

/// How much was put into a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// How many messages there ever were.
    pub sent: i64,
    /// How many there were when somebody last looked whether too many wait.
    pub looked_at: i64,
}

/// A device that messages can be sent to, and its queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The interned user id.
    pub user: i64,
    /// The device id.
    pub device_id: String,
    /// The version of the device's row.
    pub version: i64,
    /// What it was sent.
    pub queue: Queue,
}

/// A message that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Where it stands.
    pub place: Place,
    /// The event as the device is shown it.
    pub event: Bytes,
}

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The position of its entry in the log.
    pub pos: i64,
    /// Its number.
    pub message: i64,
}

/// All devices of these users, by user and device id.
pub async fn list_recipients(read: &mut Read, users: &[i64]) -> StoreResult<Vec<Recipient>> {
    let sql = "SELECT d.user_number, d.device_id, d.version,
                      COALESCE(q.sent, 0), COALESCE(q.looked_at, 0)
               FROM devices d
               LEFT JOIN to_device_queues q
                   ON q.user_number = d.user_number AND q.device_id = d.device_id
               WHERE d.user_number = ANY($1) ORDER BY d.user_number, d.device_id";
    let rows = read
        .query(TO_DEVICE.name, sql, &[Param::Ints(users.to_vec())])
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Recipient {
                user: row.int(0)?,
                device_id: row.text(1)?,
                version: row.int(2)?,
                queue: Queue {
                    sent: row.int(3)?,
                    looked_at: row.int(4)?,
                },
            })
        })
        .collect()
}

/// What waits for a device after one position up to another, at most `limit`, oldest first. Cost:
/// all that waits for it.
pub async fn list(
    read: &mut Read,
    (user, device_id): (i64, &str),
    (after, up_to): (i64, i64),
    limit: i64,
) -> StoreResult<Vec<Waiting>> {
    let sql = "SELECT l.pos, t.message, t.event FROM to_device t
               JOIN log l ON l.subject = t.user_number AND l.reference = t.message
                   AND l.kind = $3 AND l.latest = 1
               WHERE t.user_number = $1 AND t.device_id = $2 AND l.pos > $4 AND l.pos <= $5
               ORDER BY l.pos LIMIT $6";
    let parameters = [
        user.into(),
        device_id.into(),
        (LogKind::ToDevice as i64).into(),
        after.into(),
        up_to.into(),
        limit.into(),
    ];
    let rows = read.query(TO_DEVICE.name, sql, &parameters).await?;
    rows.iter()
        .map(|row| {
            Ok(Waiting {
                place: place(row)?,
                event: row.bytes(2)?,
            })
        })
        .collect()
}

/// The same without the messages, from the beginning.
pub async fn list_places(
    read: &mut Read,
    (user, device_id): (i64, &str),
    up_to: i64,
    limit: i64,
) -> StoreResult<Vec<Place>> {
    let sql = "SELECT l.pos, t.message FROM to_device t
               JOIN log l ON l.subject = t.user_number AND l.reference = t.message
                   AND l.kind = $3 AND l.latest = 1
               WHERE t.user_number = $1 AND t.device_id = $2 AND l.pos <= $4
               ORDER BY l.pos LIMIT $5";
    let parameters = [
        user.into(),
        device_id.into(),
        (LogKind::ToDevice as i64).into(),
        up_to.into(),
        limit.into(),
    ];
    let rows = read.query(TO_DEVICE.name, sql, &parameters).await?;
    rows.iter().map(place).collect()
}

/// How many messages wait for a device.
pub async fn count(read: &mut Read, (user, device_id): (i64, &str)) -> StoreResult<i64> {
    let sql = "SELECT CAST(COUNT(*) AS BIGINT) FROM to_device
               WHERE user_number = $1 AND device_id = $2";
    let parameters = [user.into(), device_id.into()];
    let row = read.query_one(TO_DEVICE.name, sql, &parameters).await?;
    row.map_or(Ok(0), |row| row.int(0))
}

/// These messages of a queue, by number; those that are gone are left out.
pub async fn list_messages(
    read: &mut Read,
    (user, device_id): (i64, &str),
    messages: &[i64],
) -> StoreResult<Vec<(i64, Bytes)>> {
    let sql = "SELECT message, event FROM to_device
               WHERE user_number = $1 AND device_id = $2 AND message = ANY($3) ORDER BY message";
    let parameters = [
        user.into(),
        device_id.into(),
        Param::Ints(messages.to_vec()),
    ];
    let rows = read.query(TO_DEVICE.name, sql, &parameters).await?;
    rows.iter()
        .map(|row| Ok((row.int(0)?, row.bytes(1)?)))
        .collect()
}

/// How much was ever put into a queue, if there is one.
pub async fn find_queue(
    read: &mut Read,
    (user, device_id): (i64, &str),
) -> StoreResult<Option<Queue>> {
    let sql = "SELECT sent, looked_at FROM to_device_queues
               WHERE user_number = $1 AND device_id = $2";
    let parameters = [user.into(), device_id.into()];
    let row = read
        .query_one(TO_DEVICE_QUEUES.name, sql, &parameters)
        .await?;
    row.map(|row| {
        Ok(Queue {
            sent: row.int(0)?,
            looked_at: row.int(1)?,
        })
    })
    .transpose()
}

/// Sends a message; the set falls if the device is not as it was read, gone perhaps.
pub fn insert(writes: &mut WriteSet, to: &Recipient, message: i64, event: Bytes) {
    sessions::expect_version(writes, (to.user, &to.device_id), to.version);
    put(writes, (to.user, &to.device_id), message, event);
}

/// Leaves a message to be sent to another server: an EDU.
pub fn insert_for_server(writes: &mut WriteSet, server: i64, message: i64, edu: Bytes) {
    put(writes, (server, SERVER), message, edu);
}

/// The server that an entry of the log has a message for.
pub fn server_of(entry: &LogEntry) -> Option<i64> {
    let is_for_server = entry.kind == LogKind::ToDevice && entry.data.is_empty();
    is_for_server.then_some(entry.subject)
}

fn put(writes: &mut WriteSet, (user, device_id): (i64, &str), message: i64, event: Bytes) {
    let queue = vec![user.into(), device_id.into()];
    let mut key = queue.clone();
    key.push(message.into());
    writes.insert(&TO_DEVICE, key, vec![event.into()]);
    writes.add(&TO_DEVICE_QUEUES, queue, vec![1.into(), 0.into()]);
    writes.log(LogWrite {
        kind: LogKind::ToDevice,
        subject: user,
        reference: message,
        data: device_id.to_owned().into(),
    });
}

/// Takes messages out of a queue; those that are gone already do not matter.
pub fn delete(writes: &mut WriteSet, (user, device_id): (i64, &str), places: &[Place]) {
    for Place { pos, message } in places {
        let key = vec![user.into(), device_id.into(), (*message).into()];
        writes.delete(&TO_DEVICE, key);
        log::delete(writes, *pos);
    }
}

/// Notes that somebody has looked whether too many wait, when this many had been sent.
pub fn note_look(writes: &mut WriteSet, (user, device_id): (i64, &str), sent: i64) {
    let key = vec![user.into(), device_id.into()];
    writes.max(&TO_DEVICE_QUEUES, key, vec![0.into(), sent.into()]);
}

/// Removes an empty queue; the set falls if more was sent than what the caller knows of.
pub fn delete_queue(writes: &mut WriteSet, (user, device_id): (i64, &str), sent: Option<i64>) {
    let key: Vec<Value> = vec![user.into(), device_id.into()];
    writes.expect(&TO_DEVICE_QUEUES, key.clone(), sent);
    if sent.is_some() {
        writes.delete(&TO_DEVICE_QUEUES, key);
    }
}

fn place(row: &Row) -> StoreResult<Place> {
    Ok(Place {
        pos: row.int(0)?,
        message: row.int(1)?,
    })
}

#[cfg(test)]
mod tests;
