//! What was noted long ago and is of no use any more: the rows that are found, and deleted.

use myelin_core::membership::Membership;

use crate::{Read, StoreResult, WriteSet};

use super::{
    events::{EVENTS, THREADS},
    members::{MODES, WHOLE_ROOM},
};

/// A thread with events that most are notified of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldestOfThread {
    /// The interned room id.
    pub room: i64,
    /// `main`, or the id of the thread's root.
    pub thread: String,
    /// When the first of these events was noted.
    pub noted_ms: i64,
}

/// Threads after one of them, in the order of room and thread, at most `limit`. Cost: a step into
/// an index for each.
pub async fn list_oldest_of_threads(
    read: &mut Read,
    (room, thread): (i64, &str),
    limit: i64,
) -> StoreResult<Vec<OldestOfThread>> {
    let sql = "SELECT t.room, t.thread, COALESCE((
                   SELECT e.noted_ms FROM notifying_events e
                   WHERE e.room = t.room AND e.thread = t.thread
                   ORDER BY e.room_order LIMIT 1
               ), 0)
               FROM notifying_threads t WHERE (t.room, t.thread) > ($1, $2)
               ORDER BY t.room, t.thread LIMIT $3";
    let parameters = [room.into(), thread.into(), limit.into()];
    let rows = read.query(THREADS.name, sql, &parameters).await?;
    rows.iter()
        .map(|row| {
            Ok(OldestOfThread {
                room: row.int(0)?,
                thread: row.text(1)?,
                noted_ms: row.int(2)?,
            })
        })
        .collect()
}

/// The place up to which a thread was read by all members with accounts here who are notified of
/// what most are notified of; None: there is nobody who has anything to read. Cost: the members.
pub async fn read_by_all(read: &mut Read, (room, thread): (i64, &str)) -> StoreResult<Option<i64>> {
    // Who counts by exceptions alone needs what was before that, until it is read.
    let sql = "SELECT MIN(CASE WHEN f.follows = 0 AND f.read_to >= f.since THEN NULL
                               ELSE f.read_to END)
               FROM (
                   SELECT (
                       SELECT COALESCE(MAX(p.room_order), 0) FROM (
                           SELECT r.room_order FROM receipts r
                           WHERE r.room = $1 AND r.user_number = m.user_number
                               AND (r.thread = $2 OR r.thread = $3)
                           UNION ALL SELECT k.room_order FROM notification_marks k
                           WHERE k.room = $1 AND k.user_number = m.user_number
                               AND (k.thread = $2 OR k.thread = $3)
                       ) p
                   ) AS read_to, (
                       SELECT n.follows FROM notification_modes n
                       WHERE n.user_number = m.user_number AND n.room = $1
                       ORDER BY n.room_order DESC LIMIT 1
                   ) AS follows, (
                       SELECT MAX(n.room_order) FROM notification_modes n
                       WHERE n.user_number = m.user_number AND n.room = $1
                   ) AS since
                   FROM memberships m JOIN users u ON u.user_number = m.user_number
                   WHERE m.room = $1 AND m.membership = $4
               ) f";
    let joined = Membership::Join.as_number();
    let parameters = [room.into(), thread.into(), WHOLE_ROOM.into(), joined.into()];
    let row = read.query_one(EVENTS.name, sql, &parameters).await?;
    row.map_or(Ok(None), |row| row.opt_int(0))
}

/// The first events of a thread that most are notified of, at most `limit`: their places, and when
/// they were noted.
pub async fn list_of_thread(
    read: &mut Read,
    (room, thread): (i64, &str),
    limit: i64,
) -> StoreResult<Vec<(i64, i64)>> {
    let sql = "SELECT room_order, noted_ms FROM notifying_events
               WHERE room = $1 AND thread = $2 ORDER BY room_order LIMIT $3";
    let parameters = [room.into(), thread.into(), limit.into()];
    let rows = read.query(EVENTS.name, sql, &parameters).await?;
    rows.iter()
        .map(|row| Ok((row.int(0)?, row.int(1)?)))
        .collect()
}

/// Deletes the event at a place of a room, which must be the first of its thread.
pub fn delete_event(writes: &mut WriteSet, room: i64, room_order: i64) {
    writes.delete(&EVENTS, vec![room.into(), room_order.into()]);
}

/// Deletes a thread that has no such events any more.
pub fn delete_thread(writes: &mut WriteSet, room: i64, thread: &str) {
    writes.delete(&THREADS, vec![room.into(), thread.into()]);
}

/// An exception that was noted before a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OldException {
    /// When.
    pub noted_ms: i64,
    /// The interned user id.
    pub user: i64,
    /// The interned room id.
    pub room: i64,
    /// The event's place in the room.
    pub room_order: i64,
    /// Whether the user is in the room and has not read it.
    pub is_unread: bool,
}

impl OldException {
    /// Before all others.
    pub const FIRST: Self = Self {
        noted_ms: i64::MIN,
        user: i64::MIN,
        room: i64::MIN,
        room_order: i64::MIN,
        is_unread: false,
    };
}

/// The exceptions that were noted before a time, after one of them, the oldest first, at most
/// `limit`. Cost: a few steps into indexes for each.
pub async fn list_old_exceptions(
    read: &mut Read,
    noted_before_ms: i64,
    (after, limit): (&OldException, i64),
) -> StoreResult<Vec<OldException>> {
    let sql = "SELECT x.noted_ms, x.user_number, x.room, x.room_order,
                   (SELECT COUNT(*) FROM memberships m WHERE m.room = x.room
                        AND m.user_number = x.user_number AND m.membership = $1),
                   (SELECT COUNT(*) FROM receipts r WHERE r.room = x.room
                        AND r.user_number = x.user_number AND r.room_order >= x.room_order
                        AND (r.thread = x.thread OR r.thread = $2)),
                   (SELECT COUNT(*) FROM notification_marks k WHERE k.room = x.room
                        AND k.user_number = x.user_number AND k.room_order >= x.room_order
                        AND (k.thread = x.thread OR k.thread = $2))
               FROM notification_exceptions x
               WHERE x.noted_ms < $3
                   AND (x.noted_ms, x.user_number, x.room, x.room_order) > ($4, $5, $6, $7)
               ORDER BY x.noted_ms, x.user_number, x.room, x.room_order LIMIT $8";
    let joined = Membership::Join.as_number();
    let parameters = [
        joined.into(),
        WHOLE_ROOM.into(),
        noted_before_ms.into(),
        after.noted_ms.into(),
        after.user.into(),
        after.room.into(),
        after.room_order.into(),
        limit.into(),
    ];
    let rows = read
        .query("notification_exceptions", sql, &parameters)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(OldException {
                noted_ms: row.int(0)?,
                user: row.int(1)?,
                room: row.int(2)?,
                room_order: row.int(3)?,
                is_unread: row.int(4)? > 0 && row.int(5)? == 0 && row.int(6)? == 0,
            })
        })
        .collect()
}

/// How a user began to count at a place of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModePlace {
    /// The interned user id.
    pub user: i64,
    /// The interned room id.
    pub room: i64,
    /// The place.
    pub room_order: i64,
    /// Whether the user began to count in another way later, has read the room up to there, and
    /// nothing before that was noted since the time that was asked for.
    pub is_over: bool,
}

impl ModePlace {
    /// Before all others.
    pub const FIRST: Self = Self {
        user: i64::MIN,
        room: i64::MIN,
        room_order: i64::MIN,
        is_over: false,
    };
}

/// How users began to count, after one of these places, in the order of user, room and place, at
/// most `limit`. Cost: a few steps into indexes for each.
pub async fn list_replaced_modes(
    read: &mut Read,
    noted_before_ms: i64,
    (after, limit): (&ModePlace, i64),
) -> StoreResult<Vec<ModePlace>> {
    let sql = "SELECT f.user_number, f.room, f.room_order,
                   f.later,
                   (SELECT COALESCE(MAX(p.room_order), 0) FROM (
                       SELECT r.room_order FROM receipts r
                       WHERE r.room = f.room AND r.user_number = f.user_number AND r.thread = $1
                       UNION ALL SELECT k.room_order FROM notification_marks k
                       WHERE k.room = f.room AND k.user_number = f.user_number AND k.thread = $1
                   ) p),
                   (SELECT e.noted_ms FROM notifying_events e
                        WHERE e.room = f.room AND e.room_order <= f.later
                        ORDER BY e.room_order DESC LIMIT 1)
               FROM (
                   SELECT n.user_number, n.room, n.room_order, (
                       SELECT MIN(l.room_order) FROM notification_modes l
                       WHERE l.user_number = n.user_number AND l.room = n.room
                           AND l.room_order > n.room_order
                   ) AS later
                   FROM notification_modes n
                   WHERE (n.user_number, n.room, n.room_order) > ($2, $3, $4)
                   ORDER BY n.user_number, n.room, n.room_order LIMIT $5
               ) f ORDER BY f.user_number, f.room, f.room_order";
    let parameters = [
        WHOLE_ROOM.into(),
        after.user.into(),
        after.room.into(),
        after.room_order.into(),
        limit.into(),
    ];
    let rows = read.query(MODES.name, sql, &parameters).await?;
    rows.iter()
        .map(|row| {
            let (read_to, newest_ms) = (row.int(4)?, row.opt_int(5)?);
            let is_old = newest_ms.is_none_or(|noted_ms| noted_ms < noted_before_ms);
            Ok(ModePlace {
                user: row.int(0)?,
                room: row.int(1)?,
                room_order: row.int(2)?,
                is_over: row.opt_int(3)?.is_some_and(|later| later <= read_to) && is_old,
            })
        })
        .collect()
}

/// Deletes where a user began to count in a way that is over.
pub fn delete_mode(writes: &mut WriteSet, mode: &ModePlace) {
    let key = vec![mode.user.into(), mode.room.into(), mode.room_order.into()];
    writes.delete(&MODES, key);
}
