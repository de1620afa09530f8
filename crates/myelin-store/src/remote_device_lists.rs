//! Tables `remote_device_lists`, `remote_device_list_changes` and `remote_device_list_updates`: what other
//! servers have told of their users' devices, and whether it still holds.
//!
//! A server tells of changes as long as its user shares a room with users of this server. A list is of
//! use while there has been no change, and no moment in which one could have gone unheard.

use bytes::Bytes;
use myelin_core::membership::Membership;

use crate::{OnConflict, Param, Read, StoreResult, Table, WriteSet, bytes, int};

// Who asks at the same time as another is told the same.
static LISTS: Table = Table {
    name: "remote_device_lists",
    key: &[int("user_number")],
    values: &[int("changes"), int("told_ms"), bytes("list")],
    version: None,
    on_conflict: OnConflict::LastWins,
};

// Only ever added to.
static CHANGES: Table = Table {
    name: "remote_device_list_changes",
    key: &[int("user_number")],
    values: &[int("changes")],
    version: None,
    on_conflict: OnConflict::LastWins,
};

// The last that has arrived.
static UPDATES: Table = Table {
    name: "remote_device_list_updates",
    key: &[int("user_number")],
    values: &[int("stream_id")],
    version: None,
    on_conflict: OnConflict::LastWins,
};

/// A user of another server of whose changes this server is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// The interned user id.
    pub user: i64,
    /// How many changes there were.
    pub changes: i64,
    /// The list, if it is known and holds.
    pub list: Option<Bytes>,
}

/// What there is of a user of another server, for who notes a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// How many changes there were.
    pub changes: i64,
    /// The `stream_id` of the last update that has arrived, if one has.
    pub last_update: Option<i64>,
    /// The list, and when it was told, if it holds.
    pub list: Option<(Bytes, i64)>,
}

/// A list as it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldList {
    /// The interned user id.
    pub user: i64,
    /// How many changes there had been before it was asked for.
    pub changes: i64,
    /// When it was told.
    pub told_ms: i64,
    /// The list as JSON.
    pub list: Bytes,
}

/// Those of these users of other servers who share a room with users of this one, whose interned
/// name is `own`, by user; with their lists, if they were told after `after_ms`.
pub async fn list_followed(
    read: &mut Read,
    users: &[i64],
    (own, after_ms): (i64, i64),
) -> StoreResult<Vec<Followed>> {
    let sql = "SELECT u.id, COALESCE(n.changes, 0), l.list FROM interned u
               LEFT JOIN remote_device_list_changes n ON n.user_number = u.id
               LEFT JOIN remote_device_lists l ON l.user_number = u.id
                   AND l.changes = COALESCE(n.changes, 0) AND l.told_ms > $4
               WHERE u.id = ANY($1) AND EXISTS (
                   SELECT 1 FROM memberships m
                   JOIN room_servers s ON s.room = m.room AND s.server = $2 AND s.joined > 0
                   WHERE m.user_number = u.id AND m.membership = $3
               )
               ORDER BY u.id";
    let parameters = [
        Param::Ints(users.to_vec()),
        own.into(),
        Membership::Join.as_number().into(),
        after_ms.into(),
    ];
    let rows = read.query(LISTS.name, sql, &parameters).await?;
    rows.iter()
        .map(|row| {
            Ok(Followed {
                user: row.int(0)?,
                changes: row.int(1)?,
                list: row.opt_bytes(2)?,
            })
        })
        .collect()
}

/// What there is of a user.
pub async fn find_kept(read: &mut Read, user: i64) -> StoreResult<Kept> {
    let sql = "SELECT COALESCE(n.changes, 0), p.stream_id, l.list, l.told_ms FROM interned u
               LEFT JOIN remote_device_list_changes n ON n.user_number = u.id
               LEFT JOIN remote_device_list_updates p ON p.user_number = u.id
               LEFT JOIN remote_device_lists l ON l.user_number = u.id
                   AND l.changes = COALESCE(n.changes, 0)
               WHERE u.id = $1";
    let row = read.query_one(LISTS.name, sql, &[user.into()]).await?;
    let Some(row) = row else {
        return Ok(Kept::default());
    };
    Ok(Kept {
        changes: row.int(0)?,
        last_update: row.opt_int(1)?,
        list: row.opt_bytes(2)?.zip(row.opt_int(3)?),
    })
}

/// Those of these users of whom there is a list, whether it holds or not.
pub async fn list_known(read: &mut Read, users: &[i64]) -> StoreResult<Vec<i64>> {
    let sql = "SELECT user_number FROM remote_device_lists WHERE user_number = ANY($1)
               ORDER BY user_number";
    let parameters = [Param::Ints(users.to_vec())];
    let rows = read.query(LISTS.name, sql, &parameters).await?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// Writes a list. It holds if nothing has changed since it was asked for.
pub fn put(writes: &mut WriteSet, told: &ToldList) {
    let values = vec![
        told.changes.into(),
        told.told_ms.into(),
        told.list.clone().into(),
    ];
    writes.put(&LISTS, vec![told.user.into()], values);
}

/// Notes the last update that has arrived.
pub fn put_update(writes: &mut WriteSet, user: i64, stream_id: i64) {
    writes.put(&UPDATES, vec![user.into()], vec![stream_id.into()]);
}

/// Notes that a user's devices have changed, or may have.
pub fn note_change(writes: &mut WriteSet, user: i64) {
    writes.add(&CHANGES, vec![user.into()], vec![1.into()]);
}

#[cfg(test)]
mod tests;
