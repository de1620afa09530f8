//! Table `aliases`: the names of rooms.

use crate::{OnConflict, Read, StoreResult, Table, WriteSet, bytes, int};

// An alias that is given to another room is another alias: the room serves as its version.
static ALIASES: Table = Table {
    name: "aliases",
    key: &[bytes("alias")],
    values: &[int("room"), int("creator")],
    version: Some(0),
    on_conflict: OnConflict::Replace,
};

/// What an alias stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The interned room id.
    pub room: i64,
    /// Who gave the room this name.
    pub creator: i64,
}

/// What an alias of this server stands for.
pub async fn find_alias(read: &mut Read, alias: &str) -> StoreResult<Option<Alias>> {
    let sql = "SELECT room, creator FROM aliases WHERE alias = $1";
    let row = read.query_one(ALIASES.name, sql, &[alias.into()]).await?;
    row.map(|row| {
        Ok(Alias {
            room: row.int(0)?,
            creator: row.int(1)?,
        })
    })
    .transpose()
}

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

/// At most `limit` aliases of a room with who gave them, in bytewise order.
pub async fn list_with_creators(
    read: &mut Read,
    room: i64,
    limit: i64,
) -> StoreResult<Vec<(String, Alias)>> {
    let sql = "SELECT alias, creator FROM aliases WHERE room = $1 ORDER BY alias LIMIT $2";
    let parameters = [room.into(), limit.into()];
    let rows = read.query(ALIASES.name, sql, &parameters).await?;
    rows.iter()
        .map(|row| {
            let creator = row.int(1)?;
            Ok((row.text(0)?, Alias { room, creator }))
        })
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

/// Takes a name from a room; falls if it is not the room's any more.
pub fn delete(writes: &mut WriteSet, alias: &str, room: i64) {
    let key = vec![alias.into()];
    writes.expect(&ALIASES, key.clone(), Some(room));
    writes.delete(&ALIASES, key);
}

/// Gives a room's name to another room; falls if it is not the first one's any more.
pub fn move_to(writes: &mut WriteSet, alias: &str, from: Alias, to: i64) {
    let key = vec![alias.into()];
    writes.expect(&ALIASES, key.clone(), Some(from.room));
    writes.put(&ALIASES, key, vec![to.into(), from.creator.into()]);
}

#[cfg(test)]
mod tests;
