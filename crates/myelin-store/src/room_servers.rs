//! Table `room_servers`: how many users of which server are joined to which room, this server's
//! included. Written with the memberships (see [`crate::memberships::record`]).
//!
//! Log entries of kind [`LogKind::RoomServer`] tell of the users of other servers who come and go,
//! so that who reads the table later than the log can say which servers were in the room then.

use bytes::Bytes;

use crate::{
    LogEntry, LogKind, LogWrite, OnConflict, Read, StoreResult, Table, WriteSet, int, log,
};

// Only ever added to.
static ROOM_SERVERS: Table = Table {
    name: "room_servers",
    key: &[int("room"), int("server")],
    values: &[int("joined")],
    version: None,
    on_conflict: OnConflict::LastWins,
};

/// The server of a log entry that does not say which servers have come or gone.
const MANY: i64 = 0;

/// What a log entry tells of a room's servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerChange {
    /// A user of this server, which is another than this one, was joined.
    Came(i64),
    /// A user of it is joined no more.
    Went(i64),
    /// Many have come or gone: the table is to be read anew.
    Many,
}

impl ServerChange {
    /// What an entry tells; None for entries of other kinds.
    pub fn of(entry: &LogEntry) -> Option<Self> {
        if entry.kind != LogKind::RoomServer {
            return None;
        }
        Some(match (entry.reference, entry.data.first()) {
            (MANY, _) => Self::Many,
            (server, Some(1)) => Self::Came(server),
            (server, _) => Self::Went(server),
        })
    }

    /// The user of an entry of this kind that is about one.
    pub fn user(entry: &LogEntry) -> Option<i64> {
        let (_, user) = entry.data.split_first()?;
        user.try_into().ok().map(i64::from_be_bytes)
    }

    /// The user who has gone, whatever the server.
    pub(crate) fn user_gone(entry: &LogEntry) -> Option<i64> {
        let (came, user) = entry.data.split_first()?;
        let user = user.try_into().ok().map(i64::from_be_bytes)?;
        (entry.kind == LogKind::RoomServer && *came == 0).then_some(user)
    }
}

/// A server in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomServer {
    /// The interned name of the server.
    pub server: i64,
    /// How many of its users are joined.
    pub joined: i64,
}

/// The servers that have users in a room, in the order of their numbers.
pub async fn list(read: &mut Read, room: i64) -> StoreResult<Vec<RoomServer>> {
    let sql = "SELECT server, joined FROM room_servers WHERE room = $1 AND joined > 0
               ORDER BY server";
    let rows = read.query(ROOM_SERVERS.name, sql, &[room.into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(RoomServer {
                server: row.int(0)?,
                joined: row.int(1)?,
            })
        })
        .collect()
}

/// How many users of a server are joined to a room.
pub async fn count(read: &mut Read, room: i64, server: i64) -> StoreResult<i64> {
    let sql = "SELECT joined FROM room_servers WHERE room = $1 AND server = $2";
    let parameters = [room.into(), server.into()];
    let row = read.query_one(ROOM_SERVERS.name, sql, &parameters).await?;
    row.map_or(Ok(0), |row| row.int(0))
}

/// Whether a server has users in a room, or had some there or invited.
pub async fn is_known(read: &mut Read, room: i64, server: i64) -> StoreResult<bool> {
    let sql = "SELECT joined FROM room_servers WHERE room = $1 AND server = $2";
    let parameters = [room.into(), server.into()];
    let row = read.query_one(ROOM_SERVERS.name, sql, &parameters).await?;
    Ok(row.is_some())
}

/// The users of other servers who have come to a room or gone after a position, the newest first.
pub async fn list_changes(read: &mut Read, room: i64, after: i64) -> StoreResult<Vec<LogEntry>> {
    let kind = (room, LogKind::RoomServer);
    log::list_newest(read, kind, (after, i64::MAX), i64::MAX).await
}

/// Whether any room has users of another server than this one.
pub async fn exists_other(read: &mut Read, own: i64) -> StoreResult<bool> {
    let sql = "SELECT room FROM room_servers WHERE server <> $1 AND joined > 0 LIMIT 1";
    let row = read
        .query_one(ROOM_SERVERS.name, sql, &[own.into()])
        .await?;
    Ok(row.is_some())
}

/// The other servers that have users in a room that a user is joined to, in the order of their
/// numbers. Cost: the servers of the user's rooms.
pub async fn list_sharing(read: &mut Read, user: i64, own: i64) -> StoreResult<Vec<i64>> {
    let sql = "SELECT DISTINCT s.server FROM memberships m
               JOIN room_servers s ON s.room = m.room
               WHERE m.user_number = $1 AND m.membership = $2 AND s.joined > 0 AND s.server <> $3
               ORDER BY s.server";
    let joined = myelin_core::membership::Membership::Join.as_number();
    let parameters = [user.into(), joined.into(), own.into()];
    let rows = read.query(ROOM_SERVERS.name, sql, &parameters).await?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// The other servers that have users in a room which a user has joined, and share no room with the user
/// that was joined before: a join is told by user, room and position in the log. A room in which the
/// user has only taken another name since was joined before. Cost: the servers of the user's rooms, and
/// what the log has of the user, if it has something since.
pub async fn list_newly_sharing(
    read: &mut Read,
    (user, room, pos): (i64, i64, i64),
    own: i64,
) -> StoreResult<Vec<i64>> {
    let sql = "SELECT s.server FROM room_servers s
               WHERE s.room = $1 AND s.joined > 0 AND s.server <> $2 AND s.server NOT IN (
                   SELECT o.server FROM memberships m
                   JOIN room_servers o ON o.room = m.room AND o.joined > 0
                   WHERE m.user_number = $4 AND m.membership = $5 AND m.room <> $1
                       AND m.room NOT IN (
                           SELECT l.reference FROM log l
                           WHERE l.subject = $4 AND l.pos > $6 AND l.kind = $3
                               AND NOT COALESCE((
                                   SELECT SUBSTR(b.data, 1, 1) = $7 FROM log b
                                   WHERE b.subject = $4 AND b.pos <= $6 AND b.kind = $3
                                       AND b.reference = l.reference
                                   ORDER BY b.pos DESC LIMIT 1
                               ), FALSE)
                       )
               )
               ORDER BY s.server";
    let joined = myelin_core::membership::Membership::Join.as_number();
    let parameters = [
        room.into(),
        own.into(),
        (LogKind::Membership as i64).into(),
        user.into(),
        joined.into(),
        pos.into(),
        [u8::try_from(joined).unwrap_or_default()].as_slice().into(),
    ];
    let rows = read.query(ROOM_SERVERS.name, sql, &parameters).await?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// Whether a user is joined to a room that has users of a server. Cost: at most the user's rooms.
pub async fn exists_sharing(read: &mut Read, user: i64, server: i64) -> StoreResult<bool> {
    let sql = "SELECT s.room FROM memberships m
               JOIN room_servers s ON s.room = m.room AND s.server = $3
               WHERE m.user_number = $1 AND m.membership = $2 AND s.joined > 0 LIMIT 1";
    let joined = myelin_core::membership::Membership::Join.as_number();
    let parameters = [user.into(), joined.into(), server.into()];
    let row = read.query_one(ROOM_SERVERS.name, sql, &parameters).await?;
    Ok(row.is_some())
}

/// Changes how many users of a server are joined. Who changes many at once says so afterwards with
/// [`log_many`], in the set that publishes them.
pub fn add(writes: &mut WriteSet, room: i64, server: i64, difference: i64) {
    let key = vec![room.into(), server.into()];
    writes.add(&ROOM_SERVERS, key, vec![difference.into()]);
}

/// Tells that a user of another server was joined to a room, or is so no more.
pub(crate) fn log_one(writes: &mut WriteSet, room: i64, server: i64, (user, came): (i64, bool)) {
    let mut data = vec![u8::from(came)];
    data.extend_from_slice(&user.to_be_bytes());
    write_log(writes, room, (server, data.into()));
}

/// Tells that the servers of a room are to be read anew, because many have come or gone at once.
pub fn log_many(writes: &mut WriteSet, room: i64) {
    write_log(writes, room, (MANY, Bytes::new()));
}

fn write_log(writes: &mut WriteSet, room: i64, (reference, data): (i64, Bytes)) {
    writes.log(LogWrite {
        kind: LogKind::RoomServer,
        subject: room,
        reference,
        data,
    });
}

#[cfg(test)]
mod tests;
