//! Table `room_facts`: what the public directory shows of rooms, taken from their current state.

use crate::{OnConflict, Param, Read, StoreError, StoreResult, Table, WriteSet, bytes, int};

// Written only together with a room's head, whose expectation orders the writers.
static ROOM_FACTS: Table = Table {
    name: "room_facts",
    key: &[int("room"), int("fact")],
    values: &[bytes("value")],
    version: None,
    on_conflict: OnConflict::LastWins,
};

/// Something that the directory shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fact {
    // The numbers are stored: they never change.
    /// `name` of `m.room.name`.
    Name = 1,
    /// `topic` of `m.room.topic`.
    Topic = 2,
    /// `url` of `m.room.avatar`.
    Avatar = 3,
    /// `alias` of `m.room.canonical_alias`.
    CanonicalAlias = 4,
    /// `join_rule` of `m.room.join_rules`.
    JoinRule = 5,
    /// `history_visibility` of `m.room.history_visibility`.
    HistoryVisibility = 6,
    /// `guest_access` of `m.room.guest_access`.
    GuestAccess = 7,
    /// `type` of `m.room.create`.
    RoomType = 8,
}

impl Fact {
    const ALL: [Self; 8] = [
        Self::Name,
        Self::Topic,
        Self::Avatar,
        Self::CanonicalAlias,
        Self::JoinRule,
        Self::HistoryVisibility,
        Self::GuestAccess,
        Self::RoomType,
    ];

    fn from_number(number: i64) -> StoreResult<Self> {
        let found = Self::ALL.into_iter().find(|fact| *fact as i64 == number);
        found.ok_or_else(|| StoreError::Corrupt {
            table: ROOM_FACTS.name,
            column: 1,
            wanted: "a fact",
            found: number.to_string(),
        })
    }
}

/// The facts of these rooms: room, fact, value, in no particular order.
pub async fn list(read: &mut Read, rooms: &[i64]) -> StoreResult<Vec<(i64, Fact, String)>> {
    if rooms.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT room, fact, value FROM room_facts WHERE room = ANY($1)";
    let parameters = [Param::Ints(rooms.to_vec())];
    let rows = read.query(ROOM_FACTS.name, sql, &parameters).await?;
    rows.iter()
        .map(|row| Ok((row.int(0)?, Fact::from_number(row.int(1)?)?, row.text(2)?)))
        .collect()
}

/// Writes what a fact is now, in the set that moves the room's head; None: the room has no such.
pub fn put(writes: &mut WriteSet, room: i64, fact: Fact, value: Option<&str>) {
    let key = vec![room.into(), (fact as i64).into()];
    match value {
        Some(value) => writes.put(&ROOM_FACTS, key, vec![value.into()]),
        None => writes.delete(&ROOM_FACTS, key),
    }
}

#[cfg(test)]
mod tests;
