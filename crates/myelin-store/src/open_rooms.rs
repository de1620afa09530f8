//! Table `open_rooms`: rooms that anybody may join or read, whose members anybody may find.

use myelin_core::membership::Membership;

use crate::{OnConflict, Param, Read, StoreResult, Table, WriteSet, int};

// Written only together with a room's head, whose expectation orders the writers.
static OPEN_ROOMS: Table = Table {
    name: "open_rooms",
    key: &[int("room"), int("aspect")],
    values: &[int("is_open")],
    version: None,
    on_conflict: OnConflict::LastWins,
};

/// In what way a room can be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aspect {
    /// Anybody may join.
    Joining = 1,
    /// Anybody may read.
    Reading = 2,
}

/// Writes whether a room is open in this way, in the set that moves the room's head.
pub fn upsert(writes: &mut WriteSet, room: i64, aspect: Aspect, is_open: bool) {
    let key = vec![room.into(), (aspect as i64).into()];
    writes.put(&OPEN_ROOMS, key, vec![is_open.into()]);
}

/// Those of these users who are joined to an open room. Cost: their rooms.
pub async fn list_members(read: &mut Read, users: &[i64]) -> StoreResult<Vec<i64>> {
    let sql = "SELECT DISTINCT m.user_number FROM memberships m
               JOIN open_rooms o ON o.room = m.room AND o.is_open = 1
               WHERE m.user_number = ANY($1) AND m.membership = $2 ORDER BY m.user_number";
    let joined = Membership::Join.as_number();
    let parameters = [Param::Ints(users.to_vec()), joined.into()];
    let rows = read.query(OPEN_ROOMS.name, sql, &parameters).await?;
    rows.iter().map(|row| row.int(0)).collect()
}

#[cfg(test)]
mod tests;
