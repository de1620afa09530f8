//! Tables `notification_modes` and `notification_marks`: how a member counts, and from where on.

use crate::{OnConflict, Param, RangeDeletion, Read, StoreResult, Table, WriteSet, bytes, int};
use myelin_core::membership::Membership;

use super::exceptions;

pub(super) static MODES: Table = Table {
    name: "notification_modes",
    key: &[int("user_number"), int("room"), int("room_order")],
    values: &[int("follows")],
    version: None,
    on_conflict: OnConflict::LastWins,
};

static MARKS: Table = Table {
    name: "notification_marks",
    key: &[int("user_number"), int("room"), bytes("thread")],
    values: &[int("room_order")],
    version: None,
    on_conflict: OnConflict::LastWins,
};

/// The thread that stands for the whole room.
pub(super) const WHOLE_ROOM: &str = "";

/// How a user counts from a place of a room on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// The interned user id.
    pub user: i64,
    /// It holds for the events after this place.
    pub room_order: i64,
    /// Whether the user is notified of what most are notified of, exceptions aside; else of nothing
    /// but the exceptions.
    pub follows: bool,
}

/// How these users have counted in a room, the oldest first for each.
pub async fn list_modes(read: &mut Read, room: i64, users: &[i64]) -> StoreResult<Vec<Mode>> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT user_number, room_order, follows FROM notification_modes
               WHERE user_number = ANY($1) AND room = $2 ORDER BY user_number, room_order";
    let parameters = [Param::Ints(users.to_vec()), room.into()];
    let rows = read.query(MODES.name, sql, &parameters).await?;
    rows.iter()
        .map(|row| {
            Ok(Mode {
                user: row.int(0)?,
                room_order: row.int(1)?,
                follows: row.int(2)? != 0,
            })
        })
        .collect()
}

/// Says how a user counts from a place of a room on.
pub fn put_mode(writes: &mut WriteSet, room: i64, mode: Mode) {
    let key = vec![mode.user.into(), room.into(), mode.room_order.into()];
    writes.put(&MODES, key, vec![mode.follows.into()]);
}

/// From where on a member counts: the place of the join; None: nobody has noted one.
pub async fn find_join(read: &mut Read, user: i64, room: i64) -> StoreResult<Option<i64>> {
    let sql = "SELECT room_order FROM notification_marks
               WHERE user_number = $1 AND room = $2 AND thread = $3";
    let parameters = [user.into(), room.into(), WHOLE_ROOM.into()];
    let row = read.query_one(MARKS.name, sql, &parameters).await?;
    row.map(|row| row.int(0)).transpose()
}

/// Notes that a user has read a thread, or with None the whole room, up to a place.
pub fn raise_mark(
    writes: &mut WriteSet,
    (user, room): (i64, i64),
    thread: Option<&str>,
    room_order: i64,
) {
    let thread = thread.unwrap_or(WHOLE_ROOM);
    let key = vec![user.into(), room.into(), thread.into()];
    writes.max(&MARKS, key, vec![room_order.into()]);
}

/// Forgets what is counted for a user who is not in a room any more.
pub fn delete_of_member(writes: &mut WriteSet, user: i64, room: i64) {
    exceptions::delete_all(writes, user, room);
    writes.delete_range(RangeDeletion {
        table: &MODES,
        prefix: vec![user.into(), room.into()],
        from: i64::MIN,
        to: i64::MAX,
    });
    writes.delete_range(RangeDeletion {
        table: &MARKS,
        prefix: vec![user.into()],
        from: room,
        to: room,
    });
}

/// A room that a user is joined to, as its notifications are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountedRoom {
    /// The interned room id.
    pub room: i64,
    /// Up to which place the rules have been asked.
    pub evaluated: i64,
    /// How the user counts now.
    pub follows: bool,
}

/// The rooms that a user is joined to, in the order of their numbers. Cost: the user's rooms.
pub async fn list_counted_rooms(read: &mut Read, user: i64) -> StoreResult<Vec<CountedRoom>> {
    let sql = "SELECT m.room, COALESCE(e.room_order, 0), (
                   SELECT n.follows FROM notification_modes n
                   WHERE n.user_number = m.user_number AND n.room = m.room
                   ORDER BY n.room_order DESC LIMIT 1
               )
               FROM memberships m LEFT JOIN evaluated_rooms e ON e.room = m.room
               WHERE m.user_number = $1 AND m.membership = $2 ORDER BY m.room";
    let joined = Membership::Join.as_number();
    let rows = read
        .query(MODES.name, sql, &[user.into(), joined.into()])
        .await?;
    rows.iter()
        .map(|row| {
            Ok(CountedRoom {
                room: row.int(0)?,
                evaluated: row.int(1)?,
                follows: row.opt_int(2)? != Some(0),
            })
        })
        .collect()
}

/// The rooms that a user is joined to and whose newest events nobody has counted yet, in the order
/// of their numbers. Cost: the user's rooms.
pub async fn list_pending_rooms(read: &mut Read, user: i64) -> StoreResult<Vec<i64>> {
    let sql = "SELECT m.room FROM memberships m
               JOIN rooms r ON r.room = m.room
               LEFT JOIN evaluated_rooms e ON e.room = m.room
               WHERE m.user_number = $1 AND m.membership = $2
                   AND r.room_order > COALESCE(e.room_order, 0) ORDER BY m.room";
    let joined = Membership::Join.as_number();
    let rows = read
        .query(MODES.name, sql, &[user.into(), joined.into()])
        .await?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// A member of a room with an account here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The interned user id.
    pub user: i64,
    /// Whether the user is joined now.
    pub is_joined: bool,
    /// The place of the newest member event.
    pub room_order: i64,
}

/// The users with accounts here who are joined to a room, or whose membership has changed after a
/// place of it, in the order of their numbers. Cost: the members of the room.
pub async fn list_members(read: &mut Read, room: i64, after: i64) -> StoreResult<Vec<Member>> {
    let sql = "SELECT m.user_number, m.membership, m.room_order FROM memberships m
               JOIN users u ON u.user_number = m.user_number
               WHERE m.room = $1 AND (m.membership = $2 OR m.room_order > $3)
               ORDER BY m.user_number";
    let joined = Membership::Join.as_number();
    let parameters = [room.into(), joined.into(), after.into()];
    let rows = read.query(MODES.name, sql, &parameters).await?;
    rows.iter()
        .map(|row| {
            Ok(Member {
                user: row.int(0)?,
                is_joined: row.int(1)? == joined,
                room_order: row.int(2)?,
            })
        })
        .collect()
}
