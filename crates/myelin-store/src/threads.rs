//! Tables `threads` and `thread_sizes`: the threads of a room, their newest places and how many
//! events are in each.

use bytes::Bytes;

use crate::{OnConflict, Param, Read, Row, StoreResult, Table, WriteSet, bytes, int};

static THREADS: Table = Table {
    name: "threads",
    key: &[int("room"), bytes("root")],
    values: &[int("latest")],
    version: Some(0),
    on_conflict: OnConflict::LastWins,
};

static THREAD_SIZES: Table = Table {
    name: "thread_sizes",
    key: &[int("room"), bytes("root")],
    values: &[int("events")],
    version: None,
    on_conflict: OnConflict::LastWins,
};

/// A thread of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// The id of the event that it starts from, which need not be here.
    pub root: String,
    /// The room order of its newest event.
    pub latest: i64,
}

/// Whose threads are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Participant {
    /// Everybody's.
    Anyone,
    /// Those in which this user has said something, or whose root this user has sent.
    User(i64),
}

/// Notes that an event has come into a thread; see [`crate::relations::insert`].
pub(crate) fn enter(writes: &mut WriteSet, (room, root): (i64, &str), room_order: i64) {
    let key = vec![room.into(), root.into()];
    writes.add(&THREAD_SIZES, key.clone(), vec![1.into()]);
    writes.max(&THREADS, key, vec![room_order.into()]);
}

/// Notes that an event has gone from a thread, in the set that redacts it. `newest` is what the
/// thread's newest place was and is then, if that changes: the set falls if it was not. None stands
/// for no events.
pub fn leave(writes: &mut WriteSet, (room, root): (i64, &str), newest: Option<(i64, Option<i64>)>) {
    let key = vec![room.into(), root.into()];
    writes.add(&THREAD_SIZES, key.clone(), vec![(-1).into()]);
    let Some((before, after)) = newest else {
        return;
    };
    writes.expect(&THREADS, key.clone(), Some(before));
    match after {
        Some(latest) => writes.put(&THREADS, key, vec![latest.into()]),
        None => writes.delete(&THREADS, key),
    }
}

/// The newest place of a thread; None: there is no such thread.
pub async fn find_latest(read: &mut Read, (room, root): (i64, &str)) -> StoreResult<Option<i64>> {
    let sql = "SELECT latest FROM threads WHERE room = $1 AND root = $2";
    let row = read
        .query_one(THREADS.name, sql, &[room.into(), root.into()])
        .await?;
    row.map(|row| row.int(0)).transpose()
}

/// The threads of a room whose newest place lies below `before`: at most `limit`, those with the
/// newest events first.
pub async fn list_before(
    read: &mut Read,
    (room, participant): (i64, Participant),
    before: i64,
    limit: i64,
) -> StoreResult<Vec<Thread>> {
    let sql = match participant {
        Participant::Anyone => {
            "SELECT t.root, t.latest FROM threads t
             WHERE t.room = $1 AND t.latest < $2 ORDER BY t.latest DESC LIMIT $3"
        }
        Participant::User(_) => {
            "SELECT t.root, t.latest FROM threads t
             WHERE t.room = $1 AND t.latest < $2 AND (
                 EXISTS (
                     SELECT 1 FROM relations r
                     WHERE r.room = t.room AND r.parent = t.root AND r.rel_type = $4
                     AND r.sender = $5
                 ) OR EXISTS (
                     SELECT 1 FROM event_ids i JOIN events e ON e.event = i.event
                     WHERE i.id = t.root AND e.sender = $5
                 )
             ) ORDER BY t.latest DESC LIMIT $3"
        }
    };
    let mut parameters: Vec<Param> = vec![room.into(), before.into(), limit.into()];
    if let Participant::User(user) = participant {
        parameters.extend([myelin_core::relation::THREAD.into(), user.into()]);
    }
    let rows = read.query(THREADS.name, sql, &parameters).await?;
    let thread = |row: &Row| {
        Ok(Thread {
            root: row.text(0)?,
            latest: row.int(1)?,
        })
    };
    rows.iter().map(thread).collect()
}

/// How many events there are in each of these threads: the root's id and the number.
pub async fn list_sizes(
    read: &mut Read,
    (room, roots): (i64, &[&str]),
) -> StoreResult<Vec<(String, i64)>> {
    let sql = "SELECT root, events FROM thread_sizes WHERE room = $1 AND root = ANY($2)";
    let roots = roots.iter();
    let roots = roots.map(|root| Bytes::copy_from_slice(root.as_bytes()));
    let parameters = [room.into(), Param::BytesList(roots.collect())];
    let rows = read.query(THREAD_SIZES.name, sql, &parameters).await?;
    let size = |row: &Row| Ok((row.text(0)?, row.int(1)?));
    rows.iter().map(size).collect()
}
