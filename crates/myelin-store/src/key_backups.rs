//! Tables `key_backups` and `backed_up_keys`: backups of the keys of encrypted rooms.

use bytes::Bytes;

use crate::{
    OnConflict, Param, RangeDeletion, Read, Row, StoreResult, Table, WriteSet, bytes, int,
};

static KEY_BACKUPS: Table = Table {
    name: "key_backups",
    key: &[int("user_number"), int("backup")],
    values: &[
        int("version"),
        bytes("algorithm"),
        bytes("auth_data"),
        int("etag"),
        int("count"),
        int("deleted"),
    ],
    version: Some(0),
    on_conflict: OnConflict::Replace,
};

// Written only together with the backup's row, whose expectation orders the writers.
static BACKED_UP_KEYS: Table = Table {
    name: "backed_up_keys",
    key: &[
        int("user_number"),
        int("backup"),
        int("room"),
        bytes("session_id"),
    ],
    values: &[
        int("first_message_index"),
        int("forwarded_count"),
        int("is_verified"),
        bytes("session_data"),
    ],
    version: None,
    on_conflict: OnConflict::LastWins,
};

/// A backup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyBackup {
    /// The interned user id.
    pub user: i64,
    /// Its number among the user's.
    pub backup: i64,
    /// How its keys are encrypted.
    pub algorithm: String,
    /// What that takes: a JSON object.
    pub auth_data: Bytes,
    /// Counts the changes of the keys in it.
    pub etag: i64,
    /// How many keys are in it.
    pub count: i64,
    /// Whether it was deleted.
    pub deleted: bool,
    /// Raised by each change.
    pub version: i64,
}

/// A key in a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackedUpKey {
    /// The interned room id.
    pub room: i64,
    /// The id of the session.
    pub session_id: String,
    /// The first message that it decrypts.
    pub first_message_index: i64,
    /// How often it was forwarded.
    pub forwarded_count: i64,
    /// Whether it is from a device that was verified.
    pub is_verified: bool,
    /// The key, encrypted: a JSON object.
    pub session_data: Bytes,
}

/// A user's newest backup, deleted or not, or with a number that one.
pub async fn find(
    read: &mut Read,
    user: i64,
    backup: Option<i64>,
) -> StoreResult<Option<KeyBackup>> {
    let sql = "SELECT user_number, backup, algorithm, auth_data, etag, count, deleted, version
               FROM key_backups WHERE user_number = $1 AND (backup = $2 OR $2 = 0)
               ORDER BY backup DESC LIMIT 1";
    let parameters = [user.into(), backup.unwrap_or_default().into()];
    let row = read.query_one(KEY_BACKUPS.name, sql, &parameters).await?;
    row.map(|row| backup_from_row(&row)).transpose()
}

/// A user's newest backup that was not deleted.
pub async fn find_current(read: &mut Read, user: i64) -> StoreResult<Option<KeyBackup>> {
    let sql = "SELECT user_number, backup, algorithm, auth_data, etag, count, deleted, version
               FROM key_backups WHERE user_number = $1 AND deleted = 0
               ORDER BY backup DESC LIMIT 1";
    let row = read
        .query_one(KEY_BACKUPS.name, sql, &[user.into()])
        .await?;
    row.map(|row| backup_from_row(&row)).transpose()
}

/// The keys of these sessions in these rooms.
pub async fn list_sessions(
    read: &mut Read,
    (user, backup): (i64, i64),
    (rooms, sessions): (&[i64], Vec<Bytes>),
) -> StoreResult<Vec<BackedUpKey>> {
    let sql = "SELECT room, session_id, first_message_index, forwarded_count, is_verified,
                      session_data
               FROM backed_up_keys
               WHERE user_number = $1 AND backup = $2 AND room = ANY($3) AND session_id = ANY($4)
               ORDER BY room, session_id";
    let parameters = [
        user.into(),
        backup.into(),
        Param::Ints(rooms.to_vec()),
        Param::BytesList(sessions),
    ];
    let rows = read.query(BACKED_UP_KEYS.name, sql, &parameters).await?;
    rows.iter().map(key_from_row).collect()
}

/// The keys of a room.
pub async fn list_room(
    read: &mut Read,
    (user, backup): (i64, i64),
    room: i64,
) -> StoreResult<Vec<BackedUpKey>> {
    let sql = "SELECT room, session_id, first_message_index, forwarded_count, is_verified,
                      session_data
               FROM backed_up_keys WHERE user_number = $1 AND backup = $2 AND room = $3
               ORDER BY session_id";
    let parameters = [user.into(), backup.into(), room.into()];
    let rows = read.query(BACKED_UP_KEYS.name, sql, &parameters).await?;
    rows.iter().map(key_from_row).collect()
}

/// Keys of a backup by room and session, after a place among them, at most `limit`.
pub async fn list_after(
    read: &mut Read,
    (user, backup): (i64, i64),
    (room, session_id): (i64, &str),
    limit: i64,
) -> StoreResult<Vec<BackedUpKey>> {
    let sql = "SELECT room, session_id, first_message_index, forwarded_count, is_verified,
                      session_data
               FROM backed_up_keys
               WHERE user_number = $1 AND backup = $2
                   AND (room > $3 OR (room = $3 AND session_id > $4))
               ORDER BY room, session_id LIMIT $5";
    let parameters = [
        user.into(),
        backup.into(),
        room.into(),
        session_id.into(),
        limit.into(),
    ];
    let rows = read.query(BACKED_UP_KEYS.name, sql, &parameters).await?;
    rows.iter().map(key_from_row).collect()
}

/// The rooms of which a backup has keys and how many, by room, at most `limit`.
pub async fn list_rooms(
    read: &mut Read,
    (user, backup): (i64, i64),
    limit: i64,
) -> StoreResult<Vec<(i64, i64)>> {
    let sql = "SELECT room, CAST(COUNT(*) AS BIGINT) FROM backed_up_keys
               WHERE user_number = $1 AND backup = $2 GROUP BY room ORDER BY room LIMIT $3";
    let parameters = [user.into(), backup.into(), limit.into()];
    let rows = read.query(BACKED_UP_KEYS.name, sql, &parameters).await?;
    rows.iter()
        .map(|row| Ok((row.int(0)?, row.int(1)?)))
        .collect()
}

/// Writes a new backup; falls if there is one with its number.
pub fn insert(writes: &mut WriteSet, backup: &KeyBackup) {
    let first = KeyBackup {
        version: 1,
        ..backup.clone()
    };
    writes.insert(&KEY_BACKUPS, key(backup), values(&first));
}

/// Changes a backup; falls if it is not of the version that it was read with.
pub fn update(writes: &mut WriteSet, backup: &KeyBackup) {
    writes.expect(&KEY_BACKUPS, key(backup), Some(backup.version));
    let raised = KeyBackup {
        version: backup.version + 1,
        ..backup.clone()
    };
    writes.put(&KEY_BACKUPS, key(backup), values(&raised));
}

/// Writes a key, in the set that changes its backup.
pub fn put_key(writes: &mut WriteSet, (user, backup): (i64, i64), put: &BackedUpKey) {
    let key = vec![
        user.into(),
        backup.into(),
        put.room.into(),
        put.session_id.as_str().into(),
    ];
    let values = vec![
        put.first_message_index.into(),
        put.forwarded_count.into(),
        put.is_verified.into(),
        put.session_data.clone().into(),
    ];
    writes.put(&BACKED_UP_KEYS, key, values);
}

/// Deletes a key, in the set that changes its backup.
pub fn delete_key(
    writes: &mut WriteSet,
    (user, backup): (i64, i64),
    (room, session_id): (i64, &str),
) {
    let key = vec![user.into(), backup.into(), room.into(), session_id.into()];
    writes.delete(&BACKED_UP_KEYS, key);
}

/// Deletes all keys of a backup for rooms with these numbers, in the set that changes the backup.
pub fn delete_rooms(writes: &mut WriteSet, (user, backup): (i64, i64), (from, to): (i64, i64)) {
    writes.delete_range(RangeDeletion {
        table: &BACKED_UP_KEYS,
        prefix: vec![user.into(), backup.into()],
        from,
        to,
    });
}

/// Deletes all backups of a user who is gone.
pub fn delete_of_user(writes: &mut WriteSet, user: i64) {
    for table in [&KEY_BACKUPS, &BACKED_UP_KEYS] {
        writes.delete_range(RangeDeletion {
            table,
            prefix: vec![user.into()],
            from: i64::MIN,
            to: i64::MAX,
        });
    }
}

fn key(backup: &KeyBackup) -> crate::Key {
    vec![backup.user.into(), backup.backup.into()]
}

fn values(backup: &KeyBackup) -> Vec<crate::Value> {
    vec![
        backup.version.into(),
        backup.algorithm.as_str().into(),
        backup.auth_data.clone().into(),
        backup.etag.into(),
        backup.count.into(),
        backup.deleted.into(),
    ]
}

fn backup_from_row(row: &Row) -> StoreResult<KeyBackup> {
    Ok(KeyBackup {
        user: row.int(0)?,
        backup: row.int(1)?,
        algorithm: row.text(2)?,
        auth_data: row.bytes(3)?,
        etag: row.int(4)?,
        count: row.int(5)?,
        deleted: row.int(6)? != 0,
        version: row.int(7)?,
    })
}

fn key_from_row(row: &Row) -> StoreResult<BackedUpKey> {
    Ok(BackedUpKey {
        room: row.int(0)?,
        session_id: row.text(1)?,
        first_message_index: row.int(2)?,
        forwarded_count: row.int(3)?,
        is_verified: row.int(4)? != 0,
        session_data: row.bytes(5)?,
    })
}

#[cfg(test)]
mod tests;
