//! Table `receipts`: up to which event a user has read a room or a thread.

use bytes::Bytes;

use crate::{
    LogKind, LogWrite, OnConflict, Param, Read, Row, StoreResult, Table, Value, WriteSet, bytes,
    int,
};

static RECEIPTS: Table = Table {
    name: "receipts",
    key: &[
        int("room"),
        int("user_number"),
        int("private"),
        bytes("thread"),
    ],
    values: &[
        int("receipt"),
        bytes("event_id"),
        int("room_order"),
        int("ts_ms"),
    ],
    version: Some(2),
    on_conflict: OnConflict::Replace,
};

/// Whose receipt for what: there is one of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptKey {
    /// The interned room id.
    pub room: i64,
    /// The interned user id.
    pub user: i64,
    /// Whether only the user is told of it.
    pub private: bool,
    /// `main` or the id of a thread's root; None: it counts for the whole room.
    pub thread: Option<String>,
}

/// A receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Whose, and for what.
    pub key: ReceiptKey,
    /// What the log calls it.
    pub number: i64,
    /// The event up to which was read.
    pub event_id: String,
    /// That event's place in the room.
    pub room_order: i64,
    /// When it was sent.
    pub ts_ms: i64,
}

/// The receipt with this key.
pub async fn find(read: &mut Read, key: &ReceiptKey) -> StoreResult<Option<Receipt>> {
    let row = read
        .query_one(
            RECEIPTS.name,
            "SELECT room, user_number, private, thread, receipt, event_id, room_order, ts_ms
             FROM receipts WHERE room = $1 AND user_number = $2 AND private = $3 AND thread = $4",
            &[
                key.room.into(),
                key.user.into(),
                key.private.into(),
                thread_value(key).into(),
            ],
        )
        .await?;
    row.map(|row| from_row(&row)).transpose()
}

/// The receipts that the log calls by these numbers, in the order of the numbers.
pub async fn list(read: &mut Read, numbers: &[i64]) -> StoreResult<Vec<Receipt>> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let rows = read
        .query(
            RECEIPTS.name,
            "SELECT room, user_number, private, thread, receipt, event_id, room_order, ts_ms
             FROM receipts WHERE receipt = ANY($1) ORDER BY receipt",
            &[Param::Ints(numbers.to_vec())],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

/// The public receipts nearest to the end of a room, at most `limit`.
pub async fn list_newest(read: &mut Read, room: i64, limit: i64) -> StoreResult<Vec<Receipt>> {
    let rows = read
        .query(
            RECEIPTS.name,
            "SELECT room, user_number, private, thread, receipt, event_id, room_order, ts_ms
             FROM receipts WHERE room = $1 AND private = 0
             ORDER BY room_order DESC, user_number, thread LIMIT $2",
            &[room.into(), limit.into()],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

/// A user's own receipts of a room, public and private, those nearest to its end, at most `limit`.
pub async fn list_by_user(
    read: &mut Read,
    (room, user): (i64, i64),
    limit: i64,
) -> StoreResult<Vec<Receipt>> {
    let rows = read
        .query(
            RECEIPTS.name,
            "SELECT room, user_number, private, thread, receipt, event_id, room_order, ts_ms
             FROM receipts WHERE room = $1 AND user_number = $2
             ORDER BY room_order DESC, private, thread LIMIT $3",
            &[room.into(), user.into(), limit.into()],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

/// Writes a receipt that takes the place of one at the room order `expected` (None: there was
/// none), and tells those who may know of it.
pub fn put(writes: &mut WriteSet, receipt: &Receipt, expected: Option<i64>) {
    let key = &receipt.key;
    let row_key = vec![
        key.room.into(),
        key.user.into(),
        key.private.into(),
        thread_value(key),
    ];
    writes.expect(&RECEIPTS, row_key.clone(), expected);
    let values = vec![
        receipt.number.into(),
        receipt.event_id.as_str().into(),
        receipt.room_order.into(),
        receipt.ts_ms.into(),
    ];
    writes.put(&RECEIPTS, row_key, values);
    // A private receipt must not even wake the others of the room.
    let (subject, other) = if key.private {
        (key.user, key.room)
    } else {
        (key.room, key.user)
    };
    writes.log(LogWrite {
        kind: LogKind::Receipt,
        subject,
        reference: receipt.number,
        data: Bytes::copy_from_slice(&other.to_be_bytes()),
    });
}

fn thread_value(key: &ReceiptKey) -> Value {
    key.thread.as_deref().unwrap_or_default().into()
}

fn from_row(row: &Row) -> StoreResult<Receipt> {
    let key = ReceiptKey {
        room: row.int(0)?,
        user: row.int(1)?,
        private: row.int(2)? != 0,
        thread: Some(row.text(3)?).filter(|thread| !thread.is_empty()),
    };
    Ok(Receipt {
        key,
        number: row.int(4)?,
        event_id: row.text(5)?,
        room_order: row.int(6)?,
        ts_ms: row.int(7)?,
    })
}

#[cfg(test)]
mod tests;
