//! Table `sticky_events`: which events are sticky, and until when.
//!
//! What clients are to be told of has a log entry of kind [`LogKind::Sticky`] beside the one of the
//! event: so it is found without a look at each event of a room. The entry goes when its time is over;
//! that of a redacted event stays, and leads to nothing.

use bytes::Bytes;

use crate::{
    LogKind, LogWrite, OnConflict, Param, Read, Row, StoreResult, Table, Value, WriteSet, int, log,
};

static STICKY_EVENTS: Table = Table {
    name: "sticky_events",
    key: &[int("event")],
    values: &[
        int("version"),
        int("room"),
        int("sender"),
        int("until_ms"),
        int("own"),
        int("soft_failed"),
        int("shown_ms"),
    ],
    version: Some(0),
    on_conflict: OnConflict::Replace,
};

/// A sticky event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StickyEvent {
    /// The event's number.
    pub event: i64,
    /// The interned room id.
    pub room: i64,
    /// The interned sender.
    pub sender: i64,
    /// Until when it is sticky.
    pub until_ms: i64,
    /// Whether a user of this server has sent it.
    pub own: bool,
    /// Whether it waits to be judged anew: the room has refused it so far, or has not been asked.
    pub soft_failed: bool,
    /// Since when clients are told of it; None: they are not yet.
    pub shown_ms: Option<i64>,
}

/// A sticky event that clients are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShownSticky {
    /// The event's number.
    pub event: i64,
    /// The interned room id.
    pub room: i64,
    /// The interned sender.
    pub sender: i64,
    /// Until when it is sticky.
    pub until_ms: i64,
    /// The position at which it was told of.
    pub pos: i64,
}

/// Where sticky events are looked for.
#[derive(Clone, Copy, Debug)]
pub enum Among<'a> {
    /// Among the events with these numbers.
    Events(&'a [i64]),
    /// In these rooms.
    Rooms(&'a [i64]),
}

macro_rules! select_sticky_events {
    ($rest:literal) => {
        concat!(
            "SELECT event, room, sender, until_ms, own, soft_failed, shown_ms FROM sticky_events ",
            $rest
        )
    };
}

macro_rules! select_shown {
    ($among:literal) => {
        concat!(
            "SELECT s.event, s.room, s.sender, s.until_ms, l.pos FROM sticky_events s
             JOIN log l ON l.subject = s.room AND l.reference = s.event
                 AND l.kind = $1 AND l.latest = 1
             WHERE s.shown_ms IS NOT NULL AND s.until_ms > $2 AND l.pos > $3 AND l.pos <= $4 AND ",
            $among,
            " ORDER BY l.pos"
        )
    };
}

/// Those of these events that are sticky at a time and are shown, those that end first first.
pub async fn list(read: &mut Read, events: &[i64], now_ms: i64) -> StoreResult<Vec<StickyEvent>> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let sql = select_sticky_events!(
        "WHERE event = ANY($1) AND until_ms > $2 AND shown_ms IS NOT NULL ORDER BY until_ms, event"
    );
    let parameters = [Param::Ints(events.to_vec()), now_ms.into()];
    query(read, sql, &parameters).await
}

/// Those that clients were told of after `after` and up to `up_to`, and that are sticky at a time, in
/// that order. Cost: the events, or all that is sticky in the rooms.
pub async fn list_shown(
    read: &mut Read,
    among: Among<'_>,
    (after, up_to): (i64, i64),
    now_ms: i64,
) -> StoreResult<Vec<ShownSticky>> {
    let (sql, numbers) = match among {
        Among::Events(numbers) => (select_shown!("s.event = ANY($5)"), numbers),
        Among::Rooms(numbers) => (select_shown!("s.room = ANY($5)"), numbers),
    };
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let parameters = [
        (LogKind::Sticky as i64).into(),
        now_ms.into(),
        after.into(),
        up_to.into(),
        Param::Ints(numbers.to_vec()),
    ];
    let rows = read.query(STICKY_EVENTS.name, sql, &parameters).await?;
    let shown = rows.iter().map(|row| {
        Ok(ShownSticky {
            event: row.int(0)?,
            room: row.int(1)?,
            sender: row.int(2)?,
            until_ms: row.int(3)?,
            pos: row.int(4)?,
        })
    });
    shown.collect()
}

/// The newest `limit` events that users of this server have sent to a room and that are sticky at a
/// time, those that end first first.
pub async fn list_own(
    read: &mut Read,
    room: i64,
    now_ms: i64,
    limit: i64,
) -> StoreResult<Vec<StickyEvent>> {
    let sql = select_sticky_events!(
        "WHERE room = $1 AND until_ms > $2 AND own = 1 AND shown_ms IS NOT NULL
         ORDER BY until_ms DESC, event DESC LIMIT $3"
    );
    let parameters = [room.into(), now_ms.into(), limit.into()];
    let mut found = query(read, sql, &parameters).await?;
    found.reverse();
    Ok(found)
}

/// The position at which the first event was logged that a user of this server has sent to a room and
/// that is sticky at a time.
pub async fn find_first_own(read: &mut Read, room: i64, now_ms: i64) -> StoreResult<Option<i64>> {
    let sql = "SELECT MIN(l.pos) FROM sticky_events s
               JOIN log l ON l.subject = s.room AND l.reference = s.event
                   AND l.kind = $3 AND l.latest = 1
               WHERE s.room = $1 AND s.until_ms > $2 AND s.own = 1";
    let kind = LogKind::Sticky as i64;
    let parameters = [room.into(), now_ms.into(), kind.into()];
    let row = read.query_one(STICKY_EVENTS.name, sql, &parameters).await?;
    row.map_or(Ok(None), |row| row.opt_int(0))
}

/// At most `limit` senders of events that wait in a room and are sticky at a time, behind the sender
/// `after`, in their order.
pub async fn list_waiting_senders(
    read: &mut Read,
    room: i64,
    now_ms: i64,
    (after, limit): (i64, i64),
) -> StoreResult<Vec<i64>> {
    let sql = "SELECT DISTINCT sender FROM sticky_events
               WHERE room = $1 AND until_ms > $2 AND shown_ms IS NULL AND sender > $3
               ORDER BY sender LIMIT $4";
    let parameters = [room.into(), now_ms.into(), after.into(), limit.into()];
    let rows = read.query(STICKY_EVENTS.name, sql, &parameters).await?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// The first `limit` events of a sender that wait in a room and are sticky at a time.
pub async fn list_waiting(
    read: &mut Read,
    (room, sender): (i64, i64),
    now_ms: i64,
    limit: i64,
) -> StoreResult<Vec<StickyEvent>> {
    let sql = select_sticky_events!(
        "WHERE room = $1 AND sender = $2 AND until_ms > $3 AND shown_ms IS NULL
         ORDER BY event LIMIT $4"
    );
    let parameters = [room.into(), sender.into(), now_ms.into(), limit.into()];
    query(read, sql, &parameters).await
}

/// How many events of a sender in a room are sticky at a time and were shown within so many
/// milliseconds before it; and when the first of them counts no more.
pub async fn count_shown(
    read: &mut Read,
    (room, sender): (i64, i64),
    (now_ms, within_ms): (i64, i64),
) -> StoreResult<(i64, Option<i64>)> {
    let sql = "SELECT COUNT(*),
                   MIN(CASE WHEN until_ms < shown_ms + $4 THEN until_ms ELSE shown_ms + $4 END)
               FROM sticky_events
               WHERE room = $1 AND sender = $2 AND until_ms > $3 AND shown_ms + $4 > $3";
    let parameters = [room.into(), sender.into(), now_ms.into(), within_ms.into()];
    let row = read.query_one(STICKY_EVENTS.name, sql, &parameters).await?;
    row.map_or(Ok((0, None)), |row| Ok((row.int(0)?, row.opt_int(1)?)))
}

/// A sticky event whose time is over, and the position of its log entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired {
    event: i64,
    pos: Option<i64>,
}

/// At most `limit` events that are sticky no more at a time.
pub async fn list_expired(read: &mut Read, now_ms: i64, limit: i64) -> StoreResult<Vec<Expired>> {
    let sql = "SELECT s.event, l.pos FROM sticky_events s
               LEFT JOIN log l ON l.subject = s.room AND l.reference = s.event
                   AND l.kind = $3 AND l.latest = 1
               WHERE s.until_ms <= $1 ORDER BY s.until_ms, s.event LIMIT $2";
    let kind = LogKind::Sticky as i64;
    let parameters = [now_ms.into(), limit.into(), kind.into()];
    let rows = read.query(STICKY_EVENTS.name, sql, &parameters).await?;
    rows.iter()
        .map(|row| {
            Ok(Expired {
                event: row.int(0)?,
                pos: row.opt_int(1)?,
            })
        })
        .collect()
}

/// Adds a sticky event, in the set that stores the event; tells of it if it is shown.
pub fn insert(writes: &mut WriteSet, new: &StickyEvent) {
    put(writes, new, None);
    if new.shown_ms.is_some() {
        tell(writes, new);
    }
}

/// Lets an event that has waited so far be shown, and tells of it. The set falls if another node
/// has done so, or the event is gone.
pub fn show(writes: &mut WriteSet, waiting: &StickyEvent, now_ms: i64) {
    let shown = StickyEvent {
        soft_failed: false,
        shown_ms: Some(now_ms),
        ..*waiting
    };
    put(writes, &shown, Some(FIRST));
    tell(writes, &shown);
}

/// Takes away what makes an event sticky; nothing if it is not.
pub fn delete(writes: &mut WriteSet, event: i64) {
    writes.delete(&STICKY_EVENTS, vec![event.into()]);
}

/// Forgets events whose time is over; those that are gone already do not matter.
pub fn delete_expired(writes: &mut WriteSet, expired: &[Expired]) {
    for Expired { event, pos } in expired {
        delete(writes, *event);
        if let Some(pos) = pos {
            log::delete(writes, *pos);
        }
    }
}

/// The version of a row that nothing was changed of.
const FIRST: i64 = 1;

fn put(writes: &mut WriteSet, event: &StickyEvent, expected: Option<i64>) {
    let key: Vec<Value> = vec![event.event.into()];
    let values = vec![
        expected.map_or(FIRST, |version| version + 1).into(),
        event.room.into(),
        event.sender.into(),
        event.until_ms.into(),
        event.own.into(),
        event.soft_failed.into(),
        event.shown_ms.into(),
    ];
    writes.expect(&STICKY_EVENTS, key.clone(), expected);
    writes.put(&STICKY_EVENTS, key, values);
}

fn tell(writes: &mut WriteSet, event: &StickyEvent) {
    writes.log(LogWrite {
        kind: LogKind::Sticky,
        subject: event.room,
        reference: event.event,
        data: Bytes::new(),
    });
}

async fn query(
    read: &mut Read,
    sql: &'static str,
    parameters: &[Param],
) -> StoreResult<Vec<StickyEvent>> {
    let rows = read.query(STICKY_EVENTS.name, sql, parameters).await?;
    rows.iter().map(from_row).collect()
}

fn from_row(row: &Row) -> StoreResult<StickyEvent> {
    Ok(StickyEvent {
        event: row.int(0)?,
        room: row.int(1)?,
        sender: row.int(2)?,
        until_ms: row.int(3)?,
        own: row.int(4)? != 0,
        soft_failed: row.int(5)? != 0,
        shown_ms: row.opt_int(6)?,
    })
}

#[cfg(test)]
mod tests;
