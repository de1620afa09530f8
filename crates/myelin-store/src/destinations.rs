//! Table `destinations`: servers that are behind the others, and how far each of them is.

use crate::{LogKind, OnConflict, Param, Read, Row, StoreResult, Table, Value, WriteSet, int};

static DESTINATIONS: Table = Table {
    name: "destinations",
    key: &[int("server")],
    values: &[
        int("version"),
        int("cursor"),
        int("target"),
        int("room"),
        int("room_cursor"),
        int("newest_only"),
        int("failures"),
        int("failing_since_ms"),
        int("next_try_ms"),
    ],
    version: Some(0),
    on_conflict: OnConflict::Replace,
};

/// A server that is behind. Who has no row has been sent everything up to the cursor of the
/// follower `federation`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Destination {
    /// The interned name of the server.
    pub server: i64,
    /// The version of the row; 0: there is none.
    pub version: i64,
    /// Everything up to this position of the log has reached it, in all rooms.
    pub cursor: i64,
    /// It is being brought up to this position; 0: nobody has begun to.
    pub target: i64,
    /// The rooms below this number have been brought up to the target.
    pub room: i64,
    /// The room of this number has been brought up to here.
    pub room_cursor: i64,
    /// Whether it was away for so long that it is told only the newest of each room.
    pub newest_only: bool,
    /// How many attempts in a row have failed.
    pub failures: i64,
    /// Since when.
    pub failing_since_ms: i64,
    /// When the next attempt is due.
    pub next_try_ms: i64,
}

/// A room in which something happened that a server may not have been told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissedRoom {
    /// The interned room id.
    pub room: i64,
    /// How many of the server's users are joined now.
    pub joined: i64,
}

/// All rows, in the order of the servers' numbers.
pub async fn list(read: &mut Read) -> StoreResult<Vec<Destination>> {
    let sql = "SELECT server, version, cursor, target, room, room_cursor, newest_only, failures,
                      failing_since_ms, next_try_ms FROM destinations ORDER BY server";
    let rows = read.query(DESTINATIONS.name, sql, &[]).await?;
    rows.iter().map(from_row).collect()
}

/// The rows of these servers, in no particular order.
pub async fn list_of(read: &mut Read, servers: &[i64]) -> StoreResult<Vec<Destination>> {
    let sql = "SELECT server, version, cursor, target, room, room_cursor, newest_only, failures,
                      failing_since_ms, next_try_ms FROM destinations WHERE server = ANY($1)";
    let servers = Param::Ints(servers.to_vec());
    let rows = read.query(DESTINATIONS.name, sql, &[servers]).await?;
    rows.iter().map(from_row).collect()
}

/// The rooms of a server with at least the number `first` in which there are events to be sent, or
/// receipts, in a range of the log: at most `limit`, in the order of their numbers. Cost: the
/// server's rooms, and what happened in them.
pub async fn list_missed_rooms(
    read: &mut Read,
    server: i64,
    (from, up_to): (i64, i64),
    (first, limit): (i64, i64),
) -> StoreResult<Vec<MissedRoom>> {
    let sql = "SELECT s.room, s.joined FROM room_servers s
               WHERE s.server = $1 AND s.room >= $4 AND EXISTS (
                   SELECT 1 FROM log l
                   WHERE l.subject = s.room AND l.pos > $2 AND l.pos <= $3 AND l.kind = ANY($6)
               )
               ORDER BY s.room LIMIT $5";
    let kinds = [LogKind::Delivery, LogKind::Receipt].map(|kind| kind as i64);
    let parameters = [
        server.into(),
        from.into(),
        up_to.into(),
        first.into(),
        limit.into(),
        Param::Ints(kinds.to_vec()),
    ];
    let rows = read.query(DESTINATIONS.name, sql, &parameters).await?;
    let missed = |row: &Row| {
        Ok(MissedRoom {
            room: row.int(0)?,
            joined: row.int(1)?,
        })
    };
    rows.iter().map(missed).collect()
}

/// Writes a row that takes the place of the version it carries, and returns it as it is then.
pub fn put(writes: &mut WriteSet, row: &Destination) -> Destination {
    let next = Destination {
        version: row.version + 1,
        ..*row
    };
    let key = expect(writes, row);
    let values = [
        next.version,
        next.cursor,
        next.target,
        next.room,
        next.room_cursor,
        i64::from(next.newest_only),
        next.failures,
        next.failing_since_ms,
        next.next_try_ms,
    ];
    writes.put(&DESTINATIONS, key, values.map(Value::from).to_vec());
    next
}

/// Deletes the row of a server that has caught up.
pub fn delete(writes: &mut WriteSet, row: &Destination) {
    let key = expect(writes, row);
    writes.delete(&DESTINATIONS, key);
}

fn expect(writes: &mut WriteSet, row: &Destination) -> Vec<Value> {
    let key = vec![row.server.into()];
    let version = Some(row.version).filter(|version| *version > 0);
    writes.expect(&DESTINATIONS, key.clone(), version);
    key
}

fn from_row(row: &Row) -> StoreResult<Destination> {
    Ok(Destination {
        server: row.int(0)?,
        version: row.int(1)?,
        cursor: row.int(2)?,
        target: row.int(3)?,
        room: row.int(4)?,
        room_cursor: row.int(5)?,
        newest_only: row.int(6)? != 0,
        failures: row.int(7)?,
        failing_since_ms: row.int(8)?,
        next_try_ms: row.int(9)?,
    })
}

#[cfg(test)]
mod tests;
