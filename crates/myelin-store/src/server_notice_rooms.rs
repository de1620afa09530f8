//! Table `server_notice_rooms`: the room in which each user is told what the server has to say.

use crate::{OnConflict, Read, StoreResult, Table, WriteSet, int};

static SERVER_NOTICE_ROOMS: Table = Table {
    name: "server_notice_rooms",
    key: &[int("user_number")],
    values: &[int("room")],
    version: None,
    on_conflict: OnConflict::Replace,
};

/// A user's room for notices, if there ever was something to tell.
pub async fn find(read: &mut Read, user: i64) -> StoreResult<Option<i64>> {
    let sql = "SELECT room FROM server_notice_rooms WHERE user_number = $1";
    let row = read
        .query_one(SERVER_NOTICE_ROOMS.name, sql, &[user.into()])
        .await?;
    row.map(|row| row.int(0)).transpose()
}

/// Gives a user a room for notices; falls if there is one.
pub fn insert(writes: &mut WriteSet, user: i64, room: i64) {
    writes.insert(&SERVER_NOTICE_ROOMS, vec![user.into()], vec![room.into()]);
}

#[cfg(test)]
mod tests;
