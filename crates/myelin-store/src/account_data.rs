//! Table `account_data`: what clients keep on the server for their user, for one room or for none.
//!
//! Each change writes a log entry of kind [`LogKind::AccountData`]: its subject is the user, its
//! reference the row's [`Key::number`], its data the room (8 bytes, big endian; 0 for none). What is
//! deleted stays as the content `{}`, which is what `/sync` tells of it.

use bytes::Bytes;

use crate::{
    LogKind, LogWrite, OnConflict, Param, RangeDeletion, Read, Row, Store, StoreResult, Table,
    WriteSet, bytes, int,
};

static ACCOUNT_DATA: Table = Table {
    name: "account_data",
    key: &[int("user_number"), int("key_number")],
    values: &[int("version"), int("room"), bytes("type"), bytes("content")],
    version: Some(0),
    on_conflict: OnConflict::Replace,
};

/// The content of what was deleted, and of what never was.
pub const DELETED: &[u8] = b"{}";

/// The room of data that belongs to none. No interned string has this number.
pub const NO_ROOM: i64 = 0;

/// What a row is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The interned number of the string that names room and type.
    pub number: i64,
    /// The interned room id, or [`NO_ROOM`].
    pub room: i64,
    /// The type.
    pub event_type: String,
}

impl Key {
    /// The key for a room, or for none, and a type; interned, as one that is to be written must be.
    pub async fn intern(
        store: &Store,
        room_id: Option<&str>,
        event_type: &str,
    ) -> StoreResult<Self> {
        let name = name(room_id, event_type);
        let mut strings = vec![name.as_slice()];
        strings.extend(room_id.map(str::as_bytes));
        let numbers = store.intern(&strings).await?;
        Ok(Self {
            number: numbers[0],
            room: numbers.get(1).copied().unwrap_or(NO_ROOM),
            event_type: event_type.to_owned(),
        })
    }

    /// The number of the key for a room, or for none, and a type, if anybody ever used it.
    pub async fn find(
        store: &Store,
        room_id: Option<&str>,
        event_type: &str,
    ) -> StoreResult<Option<i64>> {
        store.find_interned(&name(room_id, event_type)).await
    }
}

/// Neither part can contain a NUL: it is refused where they come in.
fn name(room_id: Option<&str>, event_type: &str) -> Vec<u8> {
    [room_id.unwrap_or_default(), event_type]
        .join("\0")
        .into_bytes()
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountData {
    /// What it is for.
    pub key: Key,
    /// A JSON object as text.
    pub content: Bytes,
    /// Raised by each change.
    pub version: i64,
}

impl AccountData {
    /// Whether it was deleted: an initial sync does not show it, and a later one shows `{}`.
    pub fn is_deleted(&self) -> bool {
        self.content == DELETED
    }
}

/// One row of a user by the number of its key, deleted or not.
pub async fn find(read: &mut Read, user: i64, key: i64) -> StoreResult<Option<AccountData>> {
    let found = list(read, user, &[key]).await?;
    Ok(found.into_iter().next())
}

/// Rows of a user by the numbers of their keys, deleted ones as well.
pub async fn list(read: &mut Read, user: i64, keys: &[i64]) -> StoreResult<Vec<AccountData>> {
    let rows = read
        .query(
            ACCOUNT_DATA.name,
            "SELECT key_number, room, type, content, version FROM account_data
             WHERE user_number = $1 AND key_number = ANY($2) ORDER BY key_number",
            &[user.into(), Param::Ints(keys.to_vec())],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

/// What these users keep under one key, without what was deleted: user and content, in the order of
/// the users.
pub async fn list_of_users(
    read: &mut Read,
    users: &[i64],
    key: i64,
) -> StoreResult<Vec<(i64, Bytes)>> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT user_number, content FROM account_data
               WHERE user_number = ANY($1) AND key_number = $2 AND content <> $3
               ORDER BY user_number";
    let parameters = [Param::Ints(users.to_vec()), key.into(), DELETED.into()];
    let rows = read.query(ACCOUNT_DATA.name, sql, &parameters).await?;
    rows.iter()
        .map(|row| Ok((row.int(0)?, row.bytes(1)?)))
        .collect()
}

/// What a user keeps for each of these rooms, or with [`NO_ROOM`] for none, without what was
/// deleted: by room, then in a fixed order.
pub async fn list_by_rooms(
    read: &mut Read,
    user: i64,
    rooms: &[i64],
) -> StoreResult<Vec<AccountData>> {
    let rows = read
        .query(
            ACCOUNT_DATA.name,
            "SELECT key_number, room, type, content, version FROM account_data
             WHERE user_number = $1 AND room = ANY($2) AND content <> $3
             ORDER BY room, key_number",
            &[user.into(), Param::Ints(rooms.to_vec()), DELETED.into()],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

/// All that a user keeps, without what was deleted: by room, then in a fixed order.
pub async fn list_by_user(read: &mut Read, user: i64) -> StoreResult<Vec<AccountData>> {
    let rows = read
        .query(
            ACCOUNT_DATA.name,
            "SELECT key_number, room, type, content, version FROM account_data
             WHERE user_number = $1 AND content <> $2 ORDER BY room, key_number",
            &[user.into(), DELETED.into()],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

/// What of a user's has changed after `after` up to `up_to`, deleted rows as well, in the order of
/// their last changes. Cost: the user's log entries there.
pub async fn list_changed(
    read: &mut Read,
    user: i64,
    (after, up_to): (i64, i64),
) -> StoreResult<Vec<AccountData>> {
    let rows = read
        .query(
            ACCOUNT_DATA.name,
            "SELECT a.key_number, a.room, a.type, a.content, a.version FROM log l
             JOIN account_data a ON a.user_number = l.subject AND a.key_number = l.reference
             WHERE l.subject = $1 AND l.pos > $2 AND l.pos <= $3 AND l.kind = $4 ORDER BY l.pos",
            &[
                user.into(),
                after.into(),
                up_to.into(),
                (LogKind::AccountData as i64).into(),
            ],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

/// Writes a row, tells the user's clients, and falls if it is not of the version that was read
/// (None: it was not there).
pub fn put(
    writes: &mut WriteSet,
    user: i64,
    key: &Key,
    (content, read_version): (Bytes, Option<i64>),
) {
    let row = vec![user.into(), key.number.into()];
    writes.expect(&ACCOUNT_DATA, row.clone(), read_version);
    let values = vec![
        (read_version.unwrap_or_default() + 1).into(),
        key.room.into(),
        key.event_type.as_str().into(),
        content.into(),
    ];
    writes.put(&ACCOUNT_DATA, row, values);
    writes.log(LogWrite {
        kind: LogKind::AccountData,
        subject: user,
        reference: key.number,
        data: key.room.to_be_bytes().to_vec().into(),
    });
}

/// Deletes all of a user's rows, without a word to their clients: for users who are gone.
pub fn delete_of_user(writes: &mut WriteSet, user: i64) {
    writes.delete_range(RangeDeletion {
        table: &ACCOUNT_DATA,
        prefix: vec![user.into()],
        from: i64::MIN,
        to: i64::MAX,
    });
}

fn from_row(row: &Row) -> StoreResult<AccountData> {
    Ok(AccountData {
        key: Key {
            number: row.int(0)?,
            room: row.int(1)?,
            event_type: row.text(2)?,
        },
        content: row.bytes(3)?,
        version: row.int(4)?,
    })
}

#[cfg(test)]
mod tests;
