//! Tables `notifying_events` and `notifying_threads`: what most members are notified of.

use myelin_core::membership::Membership;

use crate::{OnConflict, Read, Row, StoreResult, Table, WriteSet, bytes, int};

pub(super) static EVENTS: Table = Table {
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

pub(super) static THREADS: Table = Table {
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

/// The sums of a thread at `$3`: those of the last row up to there, or else those from which the
/// first row after it goes on; what was before that is deleted.
macro_rules! sums_at {
    ($place:literal, $kind:literal) => {
        concat!(
            "SELECT CAST(",
            $kind,
            " AS BIGINT), notify_sum, highlight_sum FROM (
                 SELECT notify_sum, highlight_sum FROM notifying_events
                 WHERE room = $1 AND thread = $2 AND room_order <= ",
            $place,
            "
                 ORDER BY room_order DESC LIMIT 1
             ) l",
            $kind,
            "
             UNION ALL
             SELECT CAST(",
            $kind,
            " AS BIGINT) + 1, notify_sum - 1, highlight_sum - highlight FROM (
                 SELECT notify_sum, highlight_sum, highlight FROM notifying_events
                 WHERE room = $1 AND thread = $2 AND room_order > ",
            $place,
            "
                 ORDER BY room_order LIMIT 1
             ) f",
            $kind
        )
    };
}

/// The sums of a thread up to a place of its room.
pub async fn sums_up_to(
    read: &mut Read,
    (room, thread): (i64, &str),
    room_order: i64,
) -> StoreResult<Sums> {
    let parameters = [room.into(), thread.into(), room_order.into()];
    let rows = read
        .query(EVENTS.name, sums_at!("$3", "1"), &parameters)
        .await?;
    sums_of(&rows, 1)
}

/// What a thread counts after a place of its room, up to another. One statement, so nothing is
/// deleted in between.
pub async fn sums_between(
    read: &mut Read,
    (room, thread): (i64, &str),
    (after, up_to): (i64, i64),
) -> StoreResult<Sums> {
    let sql = concat!(sums_at!("$3", "1"), " UNION ALL ", sums_at!("$4", "3"));
    let parameters = [room.into(), thread.into(), after.into(), up_to.into()];
    let rows = read.query(EVENTS.name, sql, &parameters).await?;
    let (before, then) = (sums_of(&rows, 1)?, sums_of(&rows, 3)?);
    Ok(Sums {
        notify: then.notify - before.notify,
        highlight: then.highlight - before.highlight,
    })
}

/// The sums of the row of this kind, or else of the next kind.
fn sums_of(rows: &[Row], kind: i64) -> StoreResult<Sums> {
    let mut found = Sums::default();
    for row in rows {
        let sums = Sums {
            notify: row.int(1)?,
            highlight: row.int(2)?,
        };
        match row.int(0)? - kind {
            0 => return Ok(sums),
            1 => found = sums,
            _ => {}
        }
    }
    Ok(found)
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
