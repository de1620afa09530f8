//! Table `rooms`: the head of each room, which the next event builds on.

use bytes::Bytes;

use crate::{OnConflict, Read, Row, StoreResult, Table, WriteSet, bytes, int};

static ROOMS: Table = Table {
    name: "rooms",
    key: &[int("room")],
    values: &[
        int("version"),
        bytes("room_version"),
        bytes("extremities"),
        int("depth"),
        int("room_order"),
        bytes("root"),
        int("joined"),
        int("invited"),
        int("joined_remote"),
    ],
    version: Some(0),
    on_conflict: OnConflict::Replace,
};

/// A room's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// The interned room id.
    pub room: i64,
    /// The number of the newest event.
    pub version: i64,
    /// The room version, as in `m.room.create`.
    pub room_version: String,
    /// The ids of the events that no other event has as `prev_events` yet.
    pub extremities: Vec<String>,
    /// The greatest depth of the extremities.
    pub depth: i64,
    /// The room order of the newest live event.
    pub room_order: i64,
    /// The root of the current state: 16 bytes, or none for no state.
    pub root: Bytes,
    /// How many users are joined.
    pub joined: i64,
    /// How many users are invited.
    pub invited: i64,
    /// How many of the joined users are of other servers.
    pub joined_remote: i64,
}

/// The head of a room, if there is such a room.
pub async fn find(read: &mut Read, room: i64) -> StoreResult<Option<Room>> {
    let sql =
        "SELECT room, version, room_version, extremities, depth, room_order, root, joined, invited,
                      joined_remote FROM rooms WHERE room = $1";
    read.query_one(ROOMS.name, sql, &[room.into()])
        .await?
        .map(|row| from_row(&row))
        .transpose()
}

/// Writes a head that was built on the head with the version `expected` (None: a new room).
pub fn put(writes: &mut WriteSet, room: &Room, expected: Option<i64>) {
    let key = vec![room.room.into()];
    writes.expect(&ROOMS, key.clone(), expected);
    let values = vec![
        room.version.into(),
        room.room_version.as_str().into(),
        room.extremities.join("\n").as_str().into(),
        room.depth.into(),
        room.room_order.into(),
        room.root.clone().into(),
        room.joined.into(),
        room.invited.into(),
        room.joined_remote.into(),
    ];
    writes.put(&ROOMS, key, values);
}

/// Lets the set fall if the head is not the one with this version any more (None: there is no such
/// room); for sets that do not move it.
pub fn expect(writes: &mut WriteSet, room: i64, version: Option<i64>) {
    writes.expect(&ROOMS, vec![room.into()], version);
}

fn from_row(row: &Row) -> StoreResult<Room> {
    Ok(Room {
        room: row.int(0)?,
        version: row.int(1)?,
        room_version: row.text(2)?,
        extremities: row
            .text(3)?
            .split('\n')
            .filter(|id| !id.is_empty())
            .map(str::to_owned)
            .collect(),
        depth: row.int(4)?,
        room_order: row.int(5)?,
        root: row.bytes(6)?,
        joined: row.int(7)?,
        invited: row.int(8)?,
        joined_remote: row.int(9)?,
    })
}
