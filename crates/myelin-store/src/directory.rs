//! Table `directory`: how large rooms are, and which of them stand in the public directory.

use crate::{OnConflict, Read, Row, StoreResult, Table, WriteSet, int};

// Only ever added to: so member events, which change the size, need not know whether the room is
// published, and who publishes it need not know its size.
static DIRECTORY: Table = Table {
    name: "directory",
    key: &[int("room")],
    values: &[int("published"), int("joined")],
    version: Some(0),
    on_conflict: OnConflict::LastWins,
};

/// A published room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublishedRoom {
    /// How many users are joined.
    pub joined: i64,
    /// The interned room id.
    pub room: i64,
}

/// Whether a room stands in the directory.
pub async fn is_published(read: &mut Read, room: i64) -> StoreResult<bool> {
    let sql = "SELECT published FROM directory WHERE room = $1";
    let row = read.query_one(DIRECTORY.name, sql, &[room.into()]).await?;
    Ok(row.map(|row| row.int(0)).transpose()? == Some(1))
}

/// At most `limit` published rooms that come after this one, the larger ones first; None: from the
/// largest.
pub async fn list_after(
    read: &mut Read,
    after: Option<PublishedRoom>,
    limit: i64,
) -> StoreResult<Vec<PublishedRoom>> {
    let sql = "SELECT joined, room FROM directory
               WHERE published = 1 AND (joined, room) < ($1, $2)
               ORDER BY joined DESC, room DESC LIMIT $3";
    list(read, sql, after.unwrap_or(LARGEST), limit).await
}

/// At most `limit` published rooms that come before this one, from there towards the larger ones.
pub async fn list_before(
    read: &mut Read,
    before: PublishedRoom,
    limit: i64,
) -> StoreResult<Vec<PublishedRoom>> {
    let sql = "SELECT joined, room FROM directory
               WHERE published = 1 AND (joined, room) > ($1, $2)
               ORDER BY joined, room LIMIT $3";
    list(read, sql, before, limit).await
}

/// How many rooms are published, counted up to `limit`.
pub async fn count(read: &mut Read, limit: i64) -> StoreResult<i64> {
    let sql = "SELECT COUNT(*) FROM (
                   SELECT 1 FROM directory WHERE published = 1 LIMIT $1
               ) AS published";
    let row = read.query_one(DIRECTORY.name, sql, &[limit.into()]).await?;
    row.map_or(Ok(0), |row| row.int(0))
}

/// Changes how many users are joined.
pub fn add_joined(writes: &mut WriteSet, room: i64, difference: i64) {
    writes.add(
        &DIRECTORY,
        vec![room.into()],
        vec![0.into(), difference.into()],
    );
}

/// Publishes a room that is being created.
pub fn publish_new(writes: &mut WriteSet, room: i64) {
    writes.add(&DIRECTORY, vec![room.into()], vec![1.into(), 0.into()]);
}

/// Publishes a room, or takes it out of the directory; falls if it is not there, or there,
/// any more.
pub fn set_published(writes: &mut WriteSet, room: i64, published: bool) {
    let (before, difference) = if published { (0, 1) } else { (1, -1) };
    let key = vec![room.into()];
    writes.expect(&DIRECTORY, key.clone(), Some(before));
    writes.add(&DIRECTORY, key, vec![difference.into(), 0.into()]);
}

const LARGEST: PublishedRoom = PublishedRoom {
    joined: i64::MAX,
    room: i64::MAX,
};

async fn list(
    read: &mut Read,
    sql: &'static str,
    PublishedRoom { joined, room }: PublishedRoom,
    limit: i64,
) -> StoreResult<Vec<PublishedRoom>> {
    let parameters = [joined.into(), room.into(), limit.into()];
    let rows = read.query(DIRECTORY.name, sql, &parameters).await?;
    rows.iter().map(from_row).collect()
}

fn from_row(row: &Row) -> StoreResult<PublishedRoom> {
    Ok(PublishedRoom {
        joined: row.int(0)?,
        room: row.int(1)?,
    })
}

#[cfg(test)]
mod tests;
