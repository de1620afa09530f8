//! Table `delayed_events`: what users want to be sent later, and for a while what became of it.
//!
//! A row is changed by whoever has read it as it is, so of those who send, cancel and restart a
//! delayed event at once one comes first, and it is sent once: the event's set finalises the row.

use std::{fmt, str::FromStr};

use bytes::Bytes;

use crate::{
    LogKind, LogWrite, OnConflict, Param, Read, Row, StoreError, StoreResult, Table, Value,
    WriteSet, int,
};

static DELAYED_EVENTS: Table = Table {
    name: "delayed_events",
    key: &[int("delayed")],
    values: &[
        int("version"),
        int("sender"),
        int("room"),
        int("type"),
        int("state_key"),
        crate::bytes("content"),
        int("sticky_ms"),
        int("delay_ms"),
        int("scheduled_ms"),
        int("due_ms"),
        int("finalised_ms"),
        int("event"),
        crate::bytes("error"),
    ],
    version: Some(0),
    on_conflict: OnConflict::Replace,
};

/// The subject of the log entries that tell of new delayed events, for a [`crate::Watch`]. No
/// interned string has this number.
pub const DELAYED_EVENTS_SUBJECT: i64 = -2;

/// What names a delayed event, here and to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DelayId(i64);

/// Text that names no delayed event of this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a delay id")]
pub struct DelayIdError;

impl DelayId {
    /// The id of this number, which is drawn by chance or was a delay id before.
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number that it stands for.
    pub const fn number(self) -> i64 {
        self.0
    }
}

impl fmt::Display for DelayId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

impl FromStr for DelayId {
    type Err = DelayIdError;

    fn from_str(text: &str) -> Result<Self, DelayIdError> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 16 || !text.bytes().all(is_digit) {
            return Err(DelayIdError);
        }
        let number = u64::from_str_radix(text, 16).map_err(|_| DelayIdError)?;
        Ok(Self(number.cast_signed()))
    }
}

/// A delayed event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelayedEvent {
    /// What names it.
    pub id: DelayId,
    /// The interned id of the user who scheduled it.
    pub sender: i64,
    /// The interned room id.
    pub room: i64,
    /// The interned type.
    pub event_type: i64,
    /// The interned state key of a state event.
    pub state_key: Option<i64>,
    /// The content as JSON.
    pub content: Bytes,
    /// For how long the event is sticky, if it is.
    pub sticky_ms: Option<i64>,
    /// How long it waits.
    pub delay_ms: i64,
    /// Since when: when it was scheduled or last restarted.
    pub scheduled_ms: i64,
    /// How it has ended; None: it waits.
    pub end: Option<End>,
    /// Raised by each change.
    pub version: i64,
}

/// How a delayed event has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// When.
    pub at_ms: i64,
    /// How.
    pub outcome: Outcome,
}

/// What became of a delayed event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was sent, as the event with this number.
    Sent(i64),
    /// It could not be sent: the body of the error.
    Failed(Bytes),
    /// Its sender cancelled it.
    Cancelled,
}

impl DelayedEvent {
    /// When it is to be sent.
    pub fn due_ms(&self) -> i64 {
        self.scheduled_ms.saturating_add(self.delay_ms)
    }

    fn key(&self) -> Vec<Value> {
        vec![self.id.0.into()]
    }

    fn put(&self, writes: &mut WriteSet, expected: Option<i64>) {
        let (mut event, mut error) = (None, None);
        match self.end.as_ref().map(|end| &end.outcome) {
            Some(Outcome::Sent(number)) => event = Some(*number),
            Some(Outcome::Failed(body)) => error = Some(body.clone()),
            Some(Outcome::Cancelled) | None => {}
        }
        let due_ms = self.end.is_none().then(|| self.due_ms());
        let values = vec![
            expected.map_or(1, |version| version + 1).into(),
            self.sender.into(),
            self.room.into(),
            self.event_type.into(),
            self.state_key.into(),
            self.content.clone().into(),
            self.sticky_ms.into(),
            self.delay_ms.into(),
            self.scheduled_ms.into(),
            due_ms.into(),
            self.end.as_ref().map(|end| end.at_ms).into(),
            event.into(),
            error.into(),
        ];
        writes.expect(&DELAYED_EVENTS, self.key(), expected);
        writes.put(&DELAYED_EVENTS, self.key(), values);
    }
}

macro_rules! select_delayed_events {
    ($rest:literal) => {
        concat!(
            "SELECT delayed, version, sender, room, type, state_key, content, sticky_ms, delay_ms,
                    scheduled_ms, finalised_ms, event, error
             FROM delayed_events ",
            $rest
        )
    };
}

/// The delayed event of this id.
pub async fn find(read: &mut Read, id: DelayId) -> StoreResult<Option<DelayedEvent>> {
    let sql = select_delayed_events!("WHERE delayed = $1");
    let row = read
        .query_one(DELAYED_EVENTS.name, sql, &[id.0.into()])
        .await?;
    row.map(|row| from_row(&row)).transpose()
}

/// The first `limit` delayed events of a user that wait, in the order in which they are to be sent.
pub async fn list_scheduled(
    read: &mut Read,
    sender: i64,
    limit: i64,
) -> StoreResult<Vec<DelayedEvent>> {
    let sql = select_delayed_events!(
        "WHERE sender = $1 AND due_ms IS NOT NULL ORDER BY due_ms, delayed LIMIT $2"
    );
    list(read, sql, &[sender.into(), limit.into()]).await
}

/// How many delayed events of a user wait, and when the first of them is to be sent.
pub async fn count_scheduled(read: &mut Read, sender: i64) -> StoreResult<(i64, Option<i64>)> {
    let sql = "SELECT COUNT(*), MIN(due_ms) FROM delayed_events
               WHERE sender = $1 AND due_ms IS NOT NULL";
    let row = read
        .query_one(DELAYED_EVENTS.name, sql, &[sender.into()])
        .await?;
    row.map_or(Ok((0, None)), |row| Ok((row.int(0)?, row.opt_int(1)?)))
}

/// At most `limit` delayed events that are to be sent at this time, in rooms other than these, in
/// the order of their times.
pub async fn list_due(
    read: &mut Read,
    now_ms: i64,
    other_than: &[i64],
    limit: i64,
) -> StoreResult<Vec<DelayedEvent>> {
    let sql = select_delayed_events!(
        "WHERE due_ms <= $1 AND NOT (room = ANY($2)) ORDER BY due_ms, delayed LIMIT $3"
    );
    let parameters = [
        now_ms.into(),
        Param::Ints(other_than.to_vec()),
        limit.into(),
    ];
    list(read, sql, &parameters).await
}

/// When the next delayed event in a room other than these is to be sent.
pub async fn find_next_due(read: &mut Read, other_than: &[i64]) -> StoreResult<Option<i64>> {
    let sql = "SELECT due_ms FROM delayed_events
               WHERE due_ms IS NOT NULL AND NOT (room = ANY($1)) ORDER BY due_ms LIMIT 1";
    let parameters = [Param::Ints(other_than.to_vec())];
    let row = read
        .query_one(DELAYED_EVENTS.name, sql, &parameters)
        .await?;
    row.map(|row| row.int(0)).transpose()
}

/// At most `limit` delayed events that ended before a time, the oldest first.
pub async fn list_ended(
    read: &mut Read,
    before_ms: i64,
    limit: i64,
) -> StoreResult<Vec<DelayedEvent>> {
    let sql =
        select_delayed_events!("WHERE finalised_ms < $1 ORDER BY finalised_ms, delayed LIMIT $2");
    list(read, sql, &[before_ms.into(), limit.into()]).await
}

/// At most `limit` delayed events of a user that have ended, without the newest `kept`. Cost: those
/// and these, in one index.
pub async fn list_ended_beyond(
    read: &mut Read,
    sender: i64,
    kept: i64,
    limit: i64,
) -> StoreResult<Vec<DelayedEvent>> {
    let sql = select_delayed_events!(
        "WHERE sender = $1 AND finalised_ms IS NOT NULL
         ORDER BY finalised_ms DESC, delayed DESC LIMIT $2 OFFSET $3"
    );
    list(read, sql, &[sender.into(), limit.into(), kept.into()]).await
}

/// Adds a delayed event that waits; the set falls if there is one of this id. Tells whoever sends.
pub fn insert(writes: &mut WriteSet, new: &DelayedEvent) {
    new.put(writes, None);
    writes.log(LogWrite {
        kind: LogKind::DelayedEvents,
        subject: DELAYED_EVENTS_SUBJECT,
        reference: 0,
        data: Bytes::new(),
    });
}

/// Lets a delayed event wait for its whole delay again. The set falls if it is not as it was read.
pub fn restart(writes: &mut WriteSet, read: &DelayedEvent, now_ms: i64) {
    let restarted = DelayedEvent {
        scheduled_ms: now_ms,
        ..read.clone()
    };
    restarted.put(writes, Some(read.version));
}

/// Ends a delayed event. The set falls if it is not as it was read.
pub fn finalise(writes: &mut WriteSet, read: &DelayedEvent, end: End) {
    let ended = DelayedEvent {
        end: Some(end),
        ..read.clone()
    };
    ended.put(writes, Some(read.version));
}

/// Forgets a delayed event. The set falls if it is not as it was read.
pub fn delete(writes: &mut WriteSet, read: &DelayedEvent) {
    writes.expect(&DELAYED_EVENTS, read.key(), Some(read.version));
    writes.delete(&DELAYED_EVENTS, read.key());
}

async fn list(
    read: &mut Read,
    sql: &'static str,
    parameters: &[Param],
) -> StoreResult<Vec<DelayedEvent>> {
    let rows = read.query(DELAYED_EVENTS.name, sql, parameters).await?;
    rows.iter().map(from_row).collect()
}

fn from_row(row: &Row) -> StoreResult<DelayedEvent> {
    let end = match row.opt_int(10)? {
        Some(at_ms) => Some(End {
            at_ms,
            outcome: match (row.opt_int(11)?, row.opt_bytes(12)?) {
                (Some(event), None) => Outcome::Sent(event),
                (None, Some(error)) => Outcome::Failed(error),
                (None, None) => Outcome::Cancelled,
                (Some(event), Some(_)) => {
                    return Err(StoreError::Corrupt {
                        table: DELAYED_EVENTS.name,
                        column: 11,
                        wanted: "an event or an error",
                        found: event.to_string(),
                    });
                }
            },
        }),
        None => None,
    };
    Ok(DelayedEvent {
        id: DelayId(row.int(0)?),
        version: row.int(1)?,
        sender: row.int(2)?,
        room: row.int(3)?,
        event_type: row.int(4)?,
        state_key: row.opt_int(5)?,
        content: row.bytes(6)?,
        sticky_ms: row.opt_int(7)?,
        delay_ms: row.int(8)?,
        scheduled_ms: row.int(9)?,
        end,
    })
}

#[cfg(test)]
mod tests;
