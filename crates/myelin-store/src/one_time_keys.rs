//! Tables `one_time_keys`, `one_time_key_counters` and `fallback_keys`: keys with which others begin
//! to talk to a device. A one-time key is taken once, by one taker; a fallback key stays.
//!
//! What becomes of a device's keys by others' doing writes a log entry of kind
//! [`LogKind::OneTimeKeys`].

use bytes::Bytes;

use crate::{
    LogKind, LogWrite, OnConflict, Param, RangeDeletion, Read, Row, StoreResult, Table, WriteSet,
    bytes, int,
};

static ONE_TIME_KEYS: Table = Table {
    name: "one_time_keys",
    key: &[
        int("user_number"),
        bytes("device_id"),
        int("algorithm"),
        int("number"),
    ],
    values: &[bytes("key_id"), bytes("value")],
    version: None,
    on_conflict: OnConflict::Replace,
};

static COUNTERS: Table = Table {
    name: "one_time_key_counters",
    key: &[int("user_number"), bytes("device_id")],
    values: &[int("next")],
    version: Some(0),
    on_conflict: OnConflict::Replace,
};

static FALLBACK_KEYS: Table = Table {
    name: "fallback_keys",
    key: &[int("user_number"), bytes("device_id"), int("algorithm")],
    values: &[int("version"), bytes("key_id"), bytes("value"), int("used")],
    version: Some(0),
    on_conflict: OnConflict::Replace,
};

/// A one-time key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneTimeKey {
    /// The interned name of its algorithm.
    pub algorithm: i64,
    /// Its id.
    pub key_id: String,
    /// The key as JSON.
    pub value: Bytes,
}

/// A fallback key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FallbackKey {
    /// The interned user id.
    pub user: i64,
    /// The device id.
    pub device_id: String,
    /// The key.
    pub key: OneTimeKey,
    /// Whether somebody has claimed it.
    pub is_used: bool,
    /// Raised by each change.
    pub version: i64,
}

/// How many keys of a device there are, by the interned name of their algorithm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyCounts {
    /// One-time keys.
    pub one_time: Vec<(i64, i64)>,
    /// Algorithms of fallback keys that nobody has claimed.
    pub unused_fallback: Vec<i64>,
}

/// The one-time keys of a device in the order of their upload.
pub async fn list(read: &mut Read, (user, device_id): (i64, &str)) -> StoreResult<Vec<OneTimeKey>> {
    let sql = "SELECT algorithm, key_id, value FROM one_time_keys
               WHERE user_number = $1 AND device_id = $2 ORDER BY algorithm, number";
    let parameters = [user.into(), device_id.into()];
    let rows = read.query(ONE_TIME_KEYS.name, sql, &parameters).await?;
    rows.iter().map(|row| key_from_row(row, 0)).collect()
}

/// The number of a device's next one-time key, if it ever had one.
pub async fn find_next(
    read: &mut Read,
    (user, device_id): (i64, &str),
) -> StoreResult<Option<i64>> {
    let sql = "SELECT next FROM one_time_key_counters WHERE user_number = $1 AND device_id = $2";
    let parameters = [user.into(), device_id.into()];
    let row = read.query_one(COUNTERS.name, sql, &parameters).await?;
    row.map(|row| row.int(0)).transpose()
}

/// How many keys of a device there are.
pub async fn counts(read: &mut Read, (user, device_id): (i64, &str)) -> StoreResult<KeyCounts> {
    let sql = "SELECT algorithm, CAST(COUNT(*) AS BIGINT) FROM one_time_keys
               WHERE user_number = $1 AND device_id = $2 GROUP BY algorithm
               UNION ALL
               SELECT algorithm, 0 FROM fallback_keys
               WHERE user_number = $1 AND device_id = $2 AND used = 0
               ORDER BY 1";
    let parameters = [user.into(), device_id.into()];
    let mut counts = KeyCounts::default();
    for row in read.query(ONE_TIME_KEYS.name, sql, &parameters).await? {
        match (row.int(0)?, row.int(1)?) {
            (algorithm, 0) => counts.unused_fallback.push(algorithm),
            counted => counts.one_time.push(counted),
        }
    }
    Ok(counts)
}

/// The fallback keys of these users' devices, by user, device id and algorithm.
pub async fn list_fallback(read: &mut Read, users: &[i64]) -> StoreResult<Vec<FallbackKey>> {
    let sql = "SELECT user_number, device_id, used, version, algorithm, key_id, value
               FROM fallback_keys WHERE user_number = ANY($1)
               ORDER BY user_number, device_id, algorithm";
    let parameters = [Param::Ints(users.to_vec())];
    let rows = read.query(FALLBACK_KEYS.name, sql, &parameters).await?;
    rows.iter()
        .map(|row| {
            Ok(FallbackKey {
                user: row.int(0)?,
                device_id: row.text(1)?,
                is_used: row.int(2)? != 0,
                version: row.int(3)?,
                key: key_from_row(row, 4)?,
            })
        })
        .collect()
}

/// Adds one-time keys to those of a device; falls if others were added since `next` was read.
pub fn insert(
    writes: &mut WriteSet,
    (user, device_id): (i64, &str),
    next: Option<i64>,
    keys: &[OneTimeKey],
) {
    let owner = vec![user.into(), device_id.into()];
    let mut number = next.unwrap_or(1);
    for OneTimeKey {
        algorithm,
        key_id,
        value,
    } in keys
    {
        let key = vec![
            user.into(),
            device_id.into(),
            (*algorithm).into(),
            number.into(),
        ];
        let values = vec![key_id.as_str().into(), value.clone().into()];
        writes.insert(&ONE_TIME_KEYS, key, values);
        number += 1;
    }
    writes.expect(&COUNTERS, owner.clone(), next);
    writes.put(&COUNTERS, owner, vec![number.into()]);
}

/// Takes the first one-time key of an algorithm, which only one taker gets, and tells the device
/// if there was one. The answer to [`from_taken`].
pub fn take(writes: &mut WriteSet, device: (i64, &str), algorithm: i64) -> usize {
    let (user, device_id) = device;
    let prefix = vec![user.into(), device_id.into(), algorithm.into()];
    writes.take_first(&ONE_TIME_KEYS, prefix, Some(change(device)))
}

/// The key in the row that [`take`] has brought.
pub fn from_taken(row: &Row) -> StoreResult<OneTimeKey> {
    Ok(OneTimeKey {
        algorithm: row.int(2)?,
        key_id: row.text(4)?,
        value: row.bytes(5)?,
    })
}

/// Writes a fallback key in the place of the one of its algorithm; falls if that is not of the
/// version that was read (None: there was none).
pub fn put_fallback(
    writes: &mut WriteSet,
    (user, device_id): (i64, &str),
    (key, is_used): (&OneTimeKey, bool),
    read_version: Option<i64>,
) {
    let row = vec![user.into(), device_id.into(), key.algorithm.into()];
    writes.expect(&FALLBACK_KEYS, row.clone(), read_version);
    let values = vec![
        (read_version.unwrap_or_default() + 1).into(),
        key.key_id.as_str().into(),
        key.value.clone().into(),
        is_used.into(),
    ];
    writes.put(&FALLBACK_KEYS, row, values);
}

/// Deletes all keys of a device, in the set that deletes the device.
pub fn delete_of_device(writes: &mut WriteSet, (user, device_id): (i64, &str)) {
    for table in [&ONE_TIME_KEYS, &FALLBACK_KEYS] {
        writes.delete_range(RangeDeletion {
            table,
            prefix: vec![user.into(), device_id.into()],
            from: i64::MIN,
            to: i64::MAX,
        });
    }
    writes.delete(&COUNTERS, vec![user.into(), device_id.into()]);
}

/// Tells a device that somebody has claimed one of its keys.
pub fn log_change(writes: &mut WriteSet, device: (i64, &str)) {
    writes.log(change(device));
}

fn change((user, device_id): (i64, &str)) -> LogWrite {
    LogWrite {
        kind: LogKind::OneTimeKeys,
        subject: user,
        reference: number_of(device_id),
        data: device_id.to_owned().into(),
    }
}

/// FNV-1a: the log wants a number for what is replaced. Two devices of one user that have the same
/// share their entries, and one of them is heard of later.
pub(crate) fn number_of(device_id: &str) -> i64 {
    let hash = device_id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    hash.cast_signed()
}

fn key_from_row(row: &Row, column: usize) -> StoreResult<OneTimeKey> {
    Ok(OneTimeKey {
        algorithm: row.int(column)?,
        key_id: row.text(column + 1)?,
        value: row.bytes(column + 2)?,
    })
}

#[cfg(test)]
mod tests;
