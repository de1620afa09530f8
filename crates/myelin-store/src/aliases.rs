//! Table `aliases`: the names of rooms.

use crate::{OnConflict, Read, StoreResult, Table, WriteSet, bytes, int};

static ALIASES: Table = Table {
    name: "aliases",
    key: &[bytes("alias")],
    values: &[int("room"), int("creator")],
    version: None,
    on_conflict: OnConflict::Replace,
};

/// The interned id of the room that an alias of this server names.
pub async fn find(read: &mut Read, alias: &str) -> StoreResult<Option<i64>> {
    let sql = "SELECT room FROM aliases WHERE alias = $1";
    read.query_one(ALIASES.name, sql, &[alias.into()])
        .await?
        .map(|row| row.int(0))
        .transpose()
}

/// The aliases of a room, in bytewise order.
pub async fn list(read: &mut Read, room: i64) -> StoreResult<Vec<String>> {
    let sql = "SELECT alias FROM aliases WHERE room = $1 ORDER BY alias";
    read.query(ALIASES.name, sql, &[room.into()])
        .await?
        .iter()
        .map(|row| row.text(0))
        .collect()
}

/// Gives a room a name that must be free.
pub fn insert(writes: &mut WriteSet, alias: &str, room: i64, creator: i64) {
    writes.insert(
        &ALIASES,
        vec![alias.into()],
        vec![room.into(), creator.into()],
    );
}
