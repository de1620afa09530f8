//! Tables `events` and `event_ids`: each event once, as the canonical JSON that was signed.

mod json;
mod status;

use bytes::Bytes;

use crate::{OnConflict, Param, Read, Row, StoreError, StoreResult, Table, WriteSet, bytes, int};

pub(crate) use json::{encode_json, json_at};
pub use status::Status;

static EVENTS: Table = Table {
    name: "events",
    key: &[int("event")],
    values: &[
        bytes("id"),
        int("room"),
        int("room_order"),
        int("type"),
        int("state_key"),
        int("sender"),
        int("depth"),
        int("origin_server_ts"),
        bytes("root_before"),
        bytes("device"),
        bytes("txn_id"),
        bytes("json"),
        int("redacted_by"),
        int("status"),
        int("delayed"),
    ],
    // What became of an event is what two writers must not overwrite each other.
    version: Some(13),
    on_conflict: OnConflict::Replace,
};

static EVENT_IDS: Table = Table {
    name: "event_ids",
    key: &[bytes("id")],
    values: &[int("event")],
    version: Some(0),
    on_conflict: OnConflict::Keep,
};

/// A stored event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its number: identity within this database, never order.
    pub event: i64,
    /// Its id.
    pub id: String,
    /// The interned room id.
    pub room: i64,
    /// Its place in the room: what `/messages` and `/context` walk along. 0 for all but accepted
    /// events, so that no such walk meets them.
    pub room_order: i64,
    /// The interned type.
    pub event_type: i64,
    /// The interned state key of a state event.
    pub state_key: Option<i64>,
    /// The interned sender.
    pub sender: i64,
    /// Its depth in the graph.
    pub depth: i64,
    /// Milliseconds since the Unix epoch, as its sender claims.
    pub origin_server_ts: i64,
    /// What became of it.
    pub status: Status,
    /// The root of the state before it; empty for no state, and where it is not known: before an
    /// outlier, and before an event that was rejected for its `auth_events` alone.
    pub root_before: Bytes,
    /// The device that sent it, if it was sent here with a transaction id.
    pub device: Option<String>,
    /// The transaction id of that request.
    pub txn_id: Option<String>,
    /// The number of the delayed event that it has been.
    pub delayed: Option<i64>,
    /// The canonical JSON of the whole event, signatures included; of a redacted event what
    /// remains of it.
    pub json: String,
    /// What redacted it.
    pub redaction: Option<Redaction>,
}

/// The event that redacted another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redaction {
    /// Its number.
    pub event: i64,
    /// Its id.
    pub id: String,
    /// Its canonical JSON, which clients are shown with the event that it redacted.
    pub json: String,
}

/// A query for whole events: the table goes by the name `e`, what follows it is the argument.
macro_rules! select_events {
    ($rest:literal) => {
        concat!(
            "SELECT e.event, e.id, e.room, e.room_order, e.type, e.state_key, e.sender, e.depth,
                    e.origin_server_ts, e.root_before, e.device, e.txn_id, e.json,
                    e.redacted_by, redaction.id, redaction.json, e.status, e.delayed
             FROM events e LEFT JOIN events redaction ON redaction.event = e.redacted_by ",
            $rest
        )
    };
}

/// The event with this number.
pub async fn find(read: &mut Read, event: i64) -> StoreResult<Option<StoredEvent>> {
    Ok(list(read, &[event]).await?.pop())
}

/// The number of the event with this id.
pub async fn find_number(read: &mut Read, id: &str) -> StoreResult<Option<i64>> {
    let sql = "SELECT event FROM event_ids WHERE id = $1";
    read.query_one(EVENT_IDS.name, sql, &[id.into()])
        .await?
        .map(|row| row.int(0))
        .transpose()
}

/// The numbers of the events with these ids; ids that are not known are left out.
pub async fn list_numbers(read: &mut Read, ids: &[&str]) -> StoreResult<Vec<(String, i64)>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids = ids.iter().map(|id| Bytes::copy_from_slice(id.as_bytes()));
    let sql = "SELECT id, event FROM event_ids WHERE id = ANY($1)";
    let rows = read
        .query(EVENT_IDS.name, sql, &[Param::BytesList(ids.collect())])
        .await?;
    rows.iter()
        .map(|row| Ok((row.text(0)?, row.int(1)?)))
        .collect()
}

/// The events with these ids, in no particular order; ids that are not known are left out.
pub async fn list_by_ids(read: &mut Read, ids: &[&str]) -> StoreResult<Vec<StoredEvent>> {
    let numbers = list_numbers(read, ids).await?;
    let numbers: Vec<i64> = numbers.into_iter().map(|(_, number)| number).collect();
    list(read, &numbers).await
}

/// The events with these numbers, in no particular order; numbers without an event are left out.
pub async fn list(read: &mut Read, events: &[i64]) -> StoreResult<Vec<StoredEvent>> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let sql = select_events!("WHERE e.event = ANY($1)");
    let rows = read
        .query(EVENTS.name, sql, &[Param::Ints(events.to_vec())])
        .await?;
    rows.iter().map(from_row).collect()
}

/// At most `limit` events of a room whose order lies below `before`, the newest first.
pub async fn list_before(
    read: &mut Read,
    room: i64,
    before: i64,
    limit: i64,
) -> StoreResult<Vec<StoredEvent>> {
    let sql = select_events!(
        "WHERE e.room = $1 AND e.room_order < $2 AND e.room_order > 0 ORDER BY e.room_order DESC LIMIT $3"
    );
    let rows = read
        .query(
            EVENTS.name,
            sql,
            &[room.into(), before.into(), limit.into()],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

/// At most `limit` events of a room whose order is at least `from`, the oldest first.
pub async fn list_from(
    read: &mut Read,
    room: i64,
    from: i64,
    limit: i64,
) -> StoreResult<Vec<StoredEvent>> {
    let sql = select_events!(
        "WHERE e.room = $1 AND e.room_order >= $2 AND e.room_order > 0
         ORDER BY e.room_order LIMIT $3"
    );
    let rows = read
        .query(EVENTS.name, sql, &[room.into(), from.into(), limit.into()])
        .await?;
    rows.iter().map(from_row).collect()
}

/// The place of an event in time, and in its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds since the Unix epoch, as the event's sender claims.
    pub origin_server_ts: i64,
    /// The event's place in the room.
    pub room_order: i64,
}

impl Moment {
    /// Where a walk from a time begins, forward or backward: events of that time come first.
    pub fn before((origin_server_ts, forward): (i64, bool)) -> Self {
        Self {
            origin_server_ts,
            room_order: if forward { i64::MIN } else { i64::MAX },
        }
    }
}

impl StoredEvent {
    /// The event's place in time.
    pub fn moment(&self) -> Moment {
        Moment {
            origin_server_ts: self.origin_server_ts,
            room_order: self.room_order,
        }
    }
}

/// At most `limit` events of a room up to the room order `last` that come after a moment in time,
/// the oldest first.
pub async fn list_after_time(
    read: &mut Read,
    (room, last): (i64, i64),
    after: Moment,
    limit: i64,
) -> StoreResult<Vec<StoredEvent>> {
    let sql = select_events!(
        "WHERE e.room = $1 AND (e.origin_server_ts, e.room_order) > ($2, $3)
         AND e.room_order <= $4 AND e.room_order > 0
         ORDER BY e.origin_server_ts, e.room_order LIMIT $5"
    );
    list_by_time(
        read,
        sql,
        [room, after.origin_server_ts, after.room_order, last, limit],
    )
    .await
}

/// The same of those that come before it, the newest first.
pub async fn list_before_time(
    read: &mut Read,
    (room, last): (i64, i64),
    before: Moment,
    limit: i64,
) -> StoreResult<Vec<StoredEvent>> {
    let sql = select_events!(
        "WHERE e.room = $1 AND (e.origin_server_ts, e.room_order) < ($2, $3)
         AND e.room_order <= $4 AND e.room_order > 0
         ORDER BY e.origin_server_ts DESC, e.room_order DESC LIMIT $5"
    );
    list_by_time(
        read,
        sql,
        [
            room,
            before.origin_server_ts,
            before.room_order,
            last,
            limit,
        ],
    )
    .await
}

async fn list_by_time(
    read: &mut Read,
    sql: &'static str,
    parameters: [i64; 5],
) -> StoreResult<Vec<StoredEvent>> {
    let rows = read
        .query(EVENTS.name, sql, &parameters.map(Into::into))
        .await?;
    rows.iter().map(from_row).collect()
}

/// Writes an event that was made here: its id, a hash over what nobody else could sign, is new.
pub fn insert(writes: &mut WriteSet, event: &StoredEvent) {
    writes.put(
        &EVENT_IDS,
        vec![event.id.as_str().into()],
        vec![event.event.into()],
    );
    put(writes, event);
}

/// Writes an event that another server made and that is not known yet. The set falls if another
/// node has stored it meanwhile, perhaps under another number.
pub fn insert_received(writes: &mut WriteSet, event: &StoredEvent) {
    writes.insert(
        &EVENT_IDS,
        vec![event.id.as_str().into()],
        vec![event.event.into()],
    );
    put(writes, event);
}

/// Gives an event that was known its place in the room, or says what else became of it. The set
/// falls if it is no longer what it was.
pub fn place(writes: &mut WriteSet, event: &StoredEvent, before: Status) {
    expect_status(writes, event.event, before);
    put(writes, event);
}

/// Lets the set fall if an event with this id has become known meanwhile.
pub fn expect_unknown(writes: &mut WriteSet, id: &str) {
    writes.expect(&EVENT_IDS, vec![id.into()], None);
}

fn expect_status(writes: &mut WriteSet, event: i64, status: Status) {
    writes.expect(&EVENTS, vec![event.into()], Some(status as i64));
}

/// Replaces an event by what a redaction leaves of it, in the set that adds the redaction. The set
/// falls if the event has found its place meanwhile.
pub fn redact(writes: &mut WriteSet, event: &StoredEvent, pruned: String, redaction: Redaction) {
    let pruned = StoredEvent {
        json: pruned,
        redaction: Some(redaction),
        ..event.clone()
    };
    expect_status(writes, event.event, event.status);
    put(writes, &pruned);
}

fn put(writes: &mut WriteSet, event: &StoredEvent) {
    let values = vec![
        event.id.as_str().into(),
        event.room.into(),
        event.room_order.into(),
        event.event_type.into(),
        event.state_key.into(),
        event.sender.into(),
        event.depth.into(),
        event.origin_server_ts.into(),
        event.root_before.clone().into(),
        event.device.as_deref().into(),
        event.txn_id.as_deref().into(),
        encode_json(&event.json),
        event
            .redaction
            .as_ref()
            .map(|redaction| redaction.event)
            .into(),
        (event.status as i64).into(),
        event.delayed.into(),
    ];
    writes.put(&EVENTS, vec![event.event.into()], values);
}

fn from_row(row: &Row) -> StoreResult<StoredEvent> {
    let optional_text = |index| {
        let bytes = row.opt_bytes(index)?;
        bytes.map(|_| row.text(index)).transpose()
    };
    let redaction = match row.opt_int(13)? {
        Some(event) => Some(Redaction {
            event,
            id: row.text(14)?,
            json: json_at(row, 15)?,
        }),
        None => None,
    };
    let status = row.int(16)?;
    let status = Status::from_number(status).ok_or_else(|| StoreError::Corrupt {
        table: EVENTS.name,
        column: 16,
        wanted: "what became of an event",
        found: status.to_string(),
    })?;
    Ok(StoredEvent {
        event: row.int(0)?,
        id: row.text(1)?,
        room: row.int(2)?,
        room_order: row.int(3)?,
        event_type: row.int(4)?,
        state_key: row.opt_int(5)?,
        sender: row.int(6)?,
        depth: row.int(7)?,
        origin_server_ts: row.int(8)?,
        status,
        root_before: row.bytes(9)?,
        device: optional_text(10)?,
        txn_id: optional_text(11)?,
        delayed: row.opt_int(17)?,
        json: json_at(row, 12)?,
        redaction,
    })
}

#[cfg(test)]
mod tests;
