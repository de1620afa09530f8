//! Tables `notifying_events` and `notifying_threads`: what most members are notified of.

use myelin_core::membership::Membership;

use crate::{OnConflict, Read, Row, StoreResult, Table, WriteSet, bytes, int};

static EVENTS: Table = Table {
    name: "notifying_events",
    key: &[int("room"), int("room_order")],
    values: &[
        bytes("thread"),
        int("event"),
        int("noted_ms"),
        int("highlight"),
        int("actions"),
        int("redacted"),
        int("notify_sum"),
        int("highlight_sum"),
    ],
    version: None,
    on_conflict: OnConflict::LastWins,
};

static THREADS: Table = Table {
    name: "notifying_threads",
    key: &[int("room"), bytes("thread")],
    values: &[int("room_order")],
    version: None,
    on_conflict: OnConflict::LastWins,
};

/// How many events of a thread notify, and how many of them stand out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Those that notify.
    pub notify: i64,
    /// Those that stand out.
    pub highlight: i64,
}

/// An event that most members are notified of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifyingEvent {
    /// The interned room id.
    pub room: i64,
    /// Its place in the room.
    pub room_order: i64,
    /// `main`, or the id of the root of the thread that it is in.
    pub thread: String,
    /// Its number.
    pub event: i64,
    /// When the rules were asked about it.
    pub noted_ms: i64,
    /// Whether it stands out.
    pub highlight: bool,
    /// The interned list of actions.
    pub actions: i64,
    /// Whether it was redacted.
    pub redacted: bool,
    /// The sums of the thread up to it, redacted events as well.
    pub sums: Sums,
}

/// The columns of a row, in the order in which they are read.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT room, room_order, thread, event, noted_ms, highlight, actions, redacted,
                    notify_sum, highlight_sum FROM notifying_events ",
            $rest
        )
    };
}

/// What most members are notified of at a place of a room.
pub async fn find_event(
    read: &mut Read,
    room: i64,
    room_order: i64,
) -> StoreResult<Option<NotifyingEvent>> {
    let sql = select!("WHERE room = $1 AND room_order = $2");
    let row = read
        .query_one(EVENTS.name, sql, &[room.into(), room_order.into()])
        .await?;
    row.map(|row| from_row(&row)).transpose()
}

/// Where a list of notifications goes on, backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before {
    /// Before this place of the room.
    pub room_order: i64,
    /// Noted before this time.
    pub noted_ms: i64,
}

/// What most members of a room were notified of before a place, the newest first, at most `limit`;
/// without what was redacted.
pub async fn list_events(
    read: &mut Read,
    room: i64,
    before: Before,
    limit: i64,
) -> StoreResult<Vec<NotifyingEvent>> {
    let sql = select!(
        "WHERE room = $1 AND room_order < $2 AND noted_ms < $3 AND redacted = 0
         ORDER BY room_order DESC LIMIT $4"
    );
    let parameters = [
        room.into(),
        before.room_order.into(),
        before.noted_ms.into(),
        limit.into(),
    ];
    let rows = read.query(EVENTS.name, sql, &parameters).await?;
    rows.iter().map(from_row).collect()
}

/// For each room that a user is joined to, when somebody in it or the user alone was last notified
/// before a time: room and time, in no particular order; a room can be there twice. Cost: two steps
/// into indexes for each room, and what was noted there since that time.
pub async fn list_newest(
    read: &mut Read,
    user: i64,
    noted_before_ms: i64,
) -> StoreResult<Vec<(i64, i64)>> {
    let sql = "SELECT room, newest FROM (
                   SELECT m.room, (
                       SELECT e.noted_ms FROM notifying_events e
                       WHERE e.room = m.room AND e.noted_ms < $3
                       ORDER BY e.room_order DESC LIMIT 1
                   ) AS newest
                   FROM memberships m WHERE m.user_number = $1 AND m.membership = $2
                   UNION ALL
                   SELECT m.room, (
                       SELECT x.noted_ms FROM notification_exceptions x
                       WHERE x.user_number = $1 AND x.room = m.room AND x.noted_ms < $3
                       ORDER BY x.room_order DESC LIMIT 1
                   ) AS newest
                   FROM memberships m WHERE m.user_number = $1 AND m.membership = $2
               ) f WHERE newest IS NOT NULL";
    let joined = Membership::Join.as_number();
    let parameters = [user.into(), joined.into(), noted_before_ms.into()];
    let rows = read.query(EVENTS.name, sql, &parameters).await?;
    rows.iter()
        .map(|row| Ok((row.int(0)?, row.int(1)?)))
        .collect()
}

/// The sums of a thread up to a place of its room.
pub async fn sums_up_to(
    read: &mut Read,
    (room, thread): (i64, &str),
    room_order: i64,
) -> StoreResult<Sums> {
    let sql = "SELECT notify_sum, highlight_sum FROM notifying_events
               WHERE room = $1 AND thread = $2 AND room_order <= $3
               ORDER BY room_order DESC LIMIT 1";
    let parameters = [room.into(), thread.into(), room_order.into()];
    let row = read.query_one(EVENTS.name, sql, &parameters).await?;
    row.map_or(Ok(Sums::default()), |row| {
        Ok(Sums {
            notify: row.int(0)?,
            highlight: row.int(1)?,
        })
    })
}

/// Writes an event that is the newest of its thread.
pub fn put_event(writes: &mut WriteSet, event: &NotifyingEvent) {
    let key = vec![event.room.into(), event.thread.as_str().into()];
    writes.put(&THREADS, key, vec![event.room_order.into()]);
    put(writes, event);
}

/// Notes that an event was redacted.
pub fn redact_event(writes: &mut WriteSet, event: &NotifyingEvent) {
    put(
        writes,
        &NotifyingEvent {
            redacted: true,
            ..event.clone()
        },
    );
}

fn put(writes: &mut WriteSet, event: &NotifyingEvent) {
    let values = vec![
        event.thread.as_str().into(),
        event.event.into(),
        event.noted_ms.into(),
        event.highlight.into(),
        event.actions.into(),
        event.redacted.into(),
        event.sums.notify.into(),
        event.sums.highlight.into(),
    ];
    let key = vec![event.room.into(), event.room_order.into()];
    writes.put(&EVENTS, key, values);
}

fn from_row(row: &Row) -> StoreResult<NotifyingEvent> {
    Ok(NotifyingEvent {
        room: row.int(0)?,
        room_order: row.int(1)?,
        thread: row.text(2)?,
        event: row.int(3)?,
        noted_ms: row.int(4)?,
        highlight: row.int(5)? != 0,
        actions: row.int(6)?,
        redacted: row.int(7)? != 0,
        sums: Sums {
            notify: row.int(8)?,
            highlight: row.int(9)?,
        },
    })
}
