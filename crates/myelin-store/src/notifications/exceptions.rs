//! Table `notification_exceptions`: who is notified of an event in another way than most.

use crate::{OnConflict, Read, Row, StoreResult, Table, WriteSet, bytes, int};

use super::events::{Before, Sums};

static EXCEPTIONS: Table = Table {
    name: "notification_exceptions",
    key: &[int("user_number"), int("room"), int("room_order")],
    values: &[
        bytes("thread"),
        int("event"),
        int("noted_ms"),
        int("notify"),
        int("highlight"),
        bytes("actions"),
        int("more_notify"),
        int("more_highlight"),
    ],
    version: None,
    on_conflict: OnConflict::LastWins,
};

/// A user who is notified of an event in another way than most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// The interned user id.
    pub user: i64,
    /// The interned room id.
    pub room: i64,
    /// The event's place in the room.
    pub room_order: i64,
    /// `main`, or the id of the root of the thread that the event is in.
    pub thread: String,
    /// The event's number.
    pub event: i64,
    /// When the rules were asked about it.
    pub noted_ms: i64,
    /// Whether the user is notified of it.
    pub notify: bool,
    /// Whether it stands out.
    pub highlight: bool,
    /// The list of actions, in JSON.
    pub actions: String,
    /// What the user's counts have more than they would have by the rule for most.
    pub more: Sums,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT user_number, room, room_order, thread, event, noted_ms, notify, highlight,
                    actions, more_notify, more_highlight FROM notification_exceptions ",
            $rest
        )
    };
}

/// A user's exceptions in a room before a place, the newest first, at most `limit`.
pub async fn list_exceptions(
    read: &mut Read,
    (user, room): (i64, i64),
    before: Before,
    limit: i64,
) -> StoreResult<Vec<Exception>> {
    let sql = select!(
        "WHERE user_number = $1 AND room = $2 AND room_order < $3 AND noted_ms < $4
         ORDER BY room_order DESC LIMIT $5"
    );
    let parameters = [
        user.into(),
        room.into(),
        before.room_order.into(),
        before.noted_ms.into(),
        limit.into(),
    ];
    let rows = read.query(EXCEPTIONS.name, sql, &parameters).await?;
    rows.iter().map(from_row).collect()
}

/// The users who are exceptions for the event at a place of a room, after one of them, in the order
/// of their numbers, at most `limit`.
pub async fn list_exceptions_of_event(
    read: &mut Read,
    (room, room_order): (i64, i64),
    (after, limit): (i64, i64),
) -> StoreResult<Vec<i64>> {
    let sql = "SELECT user_number FROM notification_exceptions
               WHERE room = $1 AND room_order = $2 AND user_number > $3
               ORDER BY user_number LIMIT $4";
    let parameters = [room.into(), room_order.into(), after.into(), limit.into()];
    let rows = read.query(EXCEPTIONS.name, sql, &parameters).await?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// Writes an exception.
pub fn put_exception(writes: &mut WriteSet, exception: &Exception) {
    let values = vec![
        exception.thread.as_str().into(),
        exception.event.into(),
        exception.noted_ms.into(),
        exception.notify.into(),
        exception.highlight.into(),
        exception.actions.as_str().into(),
        exception.more.notify.into(),
        exception.more.highlight.into(),
    ];
    let key = vec![
        exception.user.into(),
        exception.room.into(),
        exception.room_order.into(),
    ];
    writes.put(&EXCEPTIONS, key, values);
}

/// Takes an exception away, because the event was redacted.
pub fn delete_exception(writes: &mut WriteSet, user: i64, (room, room_order): (i64, i64)) {
    let key = vec![user.into(), room.into(), room_order.into()];
    writes.delete(&EXCEPTIONS, key);
}

/// Takes all exceptions of a user in a room away.
pub(super) fn delete_all(writes: &mut WriteSet, user: i64, room: i64) {
    writes.delete_range(crate::RangeDeletion {
        table: &EXCEPTIONS,
        prefix: vec![user.into(), room.into()],
        from: i64::MIN,
        to: i64::MAX,
    });
}

fn from_row(row: &Row) -> StoreResult<Exception> {
    Ok(Exception {
        user: row.int(0)?,
        room: row.int(1)?,
        room_order: row.int(2)?,
        thread: row.text(3)?,
        event: row.int(4)?,
        noted_ms: row.int(5)?,
        notify: row.int(6)? != 0,
        highlight: row.int(7)? != 0,
        actions: row.text(8)?,
        more: Sums {
            notify: row.int(9)?,
            highlight: row.int(10)?,
        },
    })
}
