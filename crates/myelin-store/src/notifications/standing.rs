//! How far a user has read a room, and what is unread in it: each one statement.

use myelin_core::membership::Membership;

use crate::{Read, Row, StoreError, StoreResult};

use super::events::Sums;

/// How far a user has read a thread, or with None the whole room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadUpTo {
    /// `main`, or the id of the thread's root.
    pub thread: Option<String>,
    /// Up to this place.
    pub room_order: i64,
}

/// How a user stands in a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What the user has read, by receipts and by sending, in no particular order.
    pub read: Vec<ReadUpTo>,
    /// From which places on the user has gone by what most are notified of, in their order.
    pub modes: Vec<(i64, bool)>,
    /// Up to which place the rules have been asked.
    pub evaluated: i64,
    /// The place of the newest event.
    pub newest: i64,
    /// The place of the newest member event of the user, if it is a join.
    pub joined: Option<i64>,
    /// The place of the join that was noted, from which on the user counts.
    pub noted_join: Option<i64>,
    /// Where the user was last taken out of the room.
    pub departed: Option<i64>,
}

impl Standing {
    /// The place up to which nothing counts, because the user was not there. Until a join is noted,
    /// the newest member event says where it was.
    pub fn absent_until(&self) -> i64 {
        let noted = self.noted_join.filter(|noted| self.departed < Some(*noted));
        noted.or(self.joined).unwrap_or_default()
    }
}

/// What a row of what is unread says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// The thread has its newest event here.
    Thread,
    /// The user is an exception here: so much more counts.
    Exception(Sums),
    /// What most are notified of was redacted here: so much less counts for them.
    Redacted(Sums),
}

/// A place in a room where something is unread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadRow {
    /// `main`, or the id of the thread's root.
    pub thread: String,
    /// The place.
    pub room_order: i64,
    /// What is there.
    pub what: Unread,
}

/// How a user stands in a room.
pub async fn find_standing(read: &mut Read, user: i64, room: i64) -> StoreResult<Standing> {
    let sql = "SELECT CAST(1 AS BIGINT), thread, room_order, CAST(0 AS BIGINT) FROM receipts
                   WHERE room = $1 AND user_number = $2
               UNION ALL SELECT CAST(2 AS BIGINT), thread, room_order, CAST(0 AS BIGINT)
                   FROM notification_marks WHERE room = $1 AND user_number = $2
               UNION ALL SELECT CAST(3 AS BIGINT), NULL, room_order, follows
                   FROM notification_modes WHERE room = $1 AND user_number = $2
               UNION ALL SELECT CAST(4 AS BIGINT), NULL, room_order, CAST(0 AS BIGINT)
                   FROM evaluated_rooms WHERE room = $1
               UNION ALL SELECT CAST(5 AS BIGINT), NULL, room_order, CAST(0 AS BIGINT)
                   FROM rooms WHERE room = $1
               UNION ALL SELECT CAST(6 AS BIGINT), NULL, room_order, membership
                   FROM memberships WHERE room = $1 AND user_number = $2
               UNION ALL SELECT CAST(7 AS BIGINT), NULL, room_order, CAST(0 AS BIGINT)
                   FROM departures WHERE room = $1 AND user_number = $2";
    let rows = read
        .query("notification_marks", sql, &[room.into(), user.into()])
        .await?;
    let mut standing = Standing::default();
    for row in &rows {
        take(&mut standing, row)?;
    }
    standing.modes.sort_unstable();
    Ok(standing)
}

fn take(standing: &mut Standing, row: &Row) -> StoreResult<()> {
    let room_order = row.int(2)?;
    match row.int(0)? {
        kind @ (1 | 2) => {
            let thread = Some(row.text(1)?).filter(|thread| !thread.is_empty());
            if kind == 2 && thread.is_none() {
                standing.noted_join = Some(room_order);
            } else {
                standing.read.push(ReadUpTo { thread, room_order });
            }
        }
        3 => standing.modes.push((room_order, row.int(3)? != 0)),
        4 => standing.evaluated = room_order,
        5 => standing.newest = room_order,
        6 => {
            let is_joined = row.int(3)? == Membership::Join.as_number();
            standing.joined = is_joined.then_some(room_order);
        }
        7 => standing.departed = Some(room_order),
        kind => return Err(unknown(kind)),
    }
    Ok(())
}

/// Where in a room something is unread between two places. Cost: the unread exceptions and
/// redactions, and the threads with something unread; not the unread events.
pub async fn list_unread(
    read: &mut Read,
    (user, room): (i64, i64),
    (after, up_to): (i64, i64),
) -> StoreResult<Vec<UnreadRow>> {
    let sql = "SELECT CAST(1 AS BIGINT), thread, room_order, CAST(0 AS BIGINT), CAST(0 AS BIGINT)
                   FROM notifying_threads WHERE room = $1 AND room_order > $3
               UNION ALL SELECT CAST(2 AS BIGINT), thread, room_order, more_notify, more_highlight
                   FROM notification_exceptions
                   WHERE user_number = $2 AND room = $1 AND room_order > $3 AND room_order <= $4
               UNION ALL SELECT CAST(3 AS BIGINT), thread, room_order, CAST(1 AS BIGINT), highlight
                   FROM notifying_events
                   WHERE room = $1 AND redacted = 1 AND room_order > $3 AND room_order <= $4";
    let parameters = [room.into(), user.into(), after.into(), up_to.into()];
    let rows = read
        .query("notification_exceptions", sql, &parameters)
        .await?;
    rows.iter().map(unread).collect()
}

fn unread(row: &Row) -> StoreResult<UnreadRow> {
    let sums = Sums {
        notify: row.int(3)?,
        highlight: row.int(4)?,
    };
    Ok(UnreadRow {
        thread: row.text(1)?,
        room_order: row.int(2)?,
        what: match row.int(0)? {
            1 => Unread::Thread,
            2 => Unread::Exception(sums),
            3 => Unread::Redacted(sums),
            kind => return Err(unknown(kind)),
        },
    })
}

fn unknown(kind: i64) -> StoreError {
    StoreError::Corrupt {
        table: "notification_marks",
        column: 0,
        wanted: "a kind of row",
        found: kind.to_string(),
    }
}
