//! Table `forgotten_rooms`: rooms that users have left and want to hear nothing of.

use crate::{OnConflict, Read, StoreResult, Table, WriteSet, int};

// Written only together with a room's head, whose expectation orders the writers.
static FORGOTTEN_ROOMS: Table = Table {
    name: "forgotten_rooms",
    key: &[int("user_number"), int("room")],
    values: &[],
    version: None,
    on_conflict: OnConflict::LastWins,
};

/// Whether a user has forgotten a room.
pub async fn exists(read: &mut Read, user: i64, room: i64) -> StoreResult<bool> {
    let sql = "SELECT room FROM forgotten_rooms WHERE user_number = $1 AND room = $2";
    let found = read
        .query_one(FORGOTTEN_ROOMS.name, sql, &[user.into(), room.into()])
        .await?;
    Ok(found.is_some())
}

/// Forgets a room.
pub fn insert(writes: &mut WriteSet, user: i64, room: i64) {
    writes.put(&FORGOTTEN_ROOMS, vec![user.into(), room.into()], Vec::new());
}

/// Remembers a room again.
pub fn delete(writes: &mut WriteSet, user: i64, room: i64) {
    writes.delete(&FORGOTTEN_ROOMS, vec![user.into(), room.into()]);
}
