//! Table `published_rooms`: the rooms that stand in the public directory.

use crate::{OnConflict, Read, StoreResult, Table, WriteSet, int};

static PUBLISHED_ROOMS: Table = Table {
    name: "published_rooms",
    key: &[int("room")],
    values: &[],
    version: None,
    on_conflict: OnConflict::Keep,
};

/// Whether a room stands in the directory.
pub async fn exists(read: &mut Read, room: i64) -> StoreResult<bool> {
    let sql = "SELECT room FROM published_rooms WHERE room = $1";
    Ok(read
        .query_one(PUBLISHED_ROOMS.name, sql, &[room.into()])
        .await?
        .is_some())
}

/// Puts a room into the directory.
pub fn insert(writes: &mut WriteSet, room: i64) {
    writes.put(&PUBLISHED_ROOMS, vec![room.into()], Vec::new());
}
