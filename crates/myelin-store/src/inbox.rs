//! Table `inbox`: what other servers have sent and was acknowledged, until it is worked off.

use bytes::Bytes;

use crate::{
    LogKind, LogWrite, OnConflict, Param, Read, Row, StoreResult, Table, Value, WriteSet, bytes,
    events::{encode_json, json_at},
    int,
};

static INBOX: Table = Table {
    name: "inbox",
    key: &[int("room"), bytes("id"), int("origin")],
    values: &[
        bytes("json"),
        int("received_ms"),
        int("place"),
        int("failures"),
        int("due_ms"),
    ],
    version: None,
    on_conflict: OnConflict::LastWins,
};

/// The subject of the log entries that tell of new events in the inbox, for a [`crate::Watch`].
/// No interned string has this number.
pub const INBOX_SUBJECT: i64 = -1;

/// Something that goes by the name of an event and came from another server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The interned room id.
    pub room: i64,
    /// The event id; where it is not a hash, whoever sent it may have lied.
    pub id: String,
    /// The interned name of the server that sent it.
    pub origin: i64,
    /// What was sent.
    pub json: String,
    /// When.
    pub received_ms: i64,
    /// Its place among those that a node took in within the same millisecond.
    pub place: i64,
    /// How often something that it needs could not be had.
    pub failures: i64,
    /// When it may be worked off.
    pub due_ms: i64,
}

impl Received {
    fn key(&self) -> Vec<Value> {
        vec![
            self.room.into(),
            self.id.as_str().into(),
            self.origin.into(),
        ]
    }
}

/// Takes in an event, or says when one is to be tried again. A second copy by the same server takes
/// the place of the first.
pub fn put(writes: &mut WriteSet, received: &Received) {
    let values = vec![
        encode_json(&received.json),
        received.received_ms.into(),
        received.place.into(),
        received.failures.into(),
        received.due_ms.into(),
    ];
    writes.put(&INBOX, received.key(), values);
}

/// Leaves an event until its room may be worked on: that is no attempt.
pub fn hold(writes: &mut WriteSet, received: &Received, due_ms: i64) {
    let held = Received {
        due_ms,
        ..received.clone()
    };
    put(writes, &held);
}

/// Wakes those who work the inbox off, once the set is committed.
pub fn wake(writes: &mut WriteSet) {
    writes.log(LogWrite {
        kind: LogKind::Inbox,
        subject: INBOX_SUBJECT,
        reference: 0,
        data: Bytes::new(),
    });
}

/// Takes out what is worked off.
pub fn delete(writes: &mut WriteSet, received: &Received) {
    writes.delete(&INBOX, received.key());
}

/// The rooms but these that have something to be worked off by now, those first that have waited
/// longest, at most `limit`.
pub async fn list_rooms(
    read: &mut Read,
    now_ms: i64,
    but: &[i64],
    limit: i64,
) -> StoreResult<Vec<i64>> {
    let sql = "SELECT room FROM inbox WHERE due_ms <= $1 AND NOT (room = ANY($2))
               GROUP BY room ORDER BY MIN(due_ms), room LIMIT $3";
    let parameters = [now_ms.into(), Param::Ints(but.to_vec()), limit.into()];
    let rows = read.query(INBOX.name, sql, &parameters).await?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// When the next of what waits is to be tried again; None: the inbox is empty.
pub async fn next_due(read: &mut Read) -> StoreResult<Option<i64>> {
    let sql = "SELECT due_ms FROM inbox ORDER BY due_ms LIMIT 1";
    let row = read.query_one(INBOX.name, sql, &[]).await?;
    row.map(|row| row.int(0)).transpose()
}

/// What a room has to be worked off by now, at most `limit`, in the order of its arrival. Where
/// there is more, each server has the same share: whoever sends a lot holds up nobody else.
///
/// Cost: what the room has to be worked off.
pub async fn list_due(
    read: &mut Read,
    room: i64,
    now_ms: i64,
    limit: i64,
) -> StoreResult<Vec<Received>> {
    let sql = "SELECT room, id, origin, received_ms, place, failures, due_ms, json FROM inbox
               WHERE room = $1 AND (id, origin) IN (
                   SELECT id, origin FROM (
                       SELECT id, origin, received_ms, place, ROW_NUMBER() OVER (
                           PARTITION BY origin ORDER BY received_ms, place
                       ) AS turn FROM inbox WHERE room = $1 AND due_ms <= $2
                   ) AS waiting ORDER BY turn, received_ms, place LIMIT $3
               ) ORDER BY received_ms, place";
    let parameters = [room.into(), now_ms.into(), limit.into()];
    let rows = read.query(INBOX.name, sql, &parameters).await?;
    rows.iter().map(from_row).collect()
}

/// How many events of a room that a server has sent wait, counted up to `limit`.
pub async fn count(read: &mut Read, room: i64, origin: i64, limit: i64) -> StoreResult<i64> {
    let sql = "SELECT COUNT(*) FROM (
                   SELECT 1 FROM inbox WHERE room = $1 AND origin = $2 LIMIT $3
               ) AS waiting";
    let parameters = [room.into(), origin.into(), limit.into()];
    let row = read.query_one(INBOX.name, sql, &parameters).await?;
    row.map_or(Ok(0), |row| row.int(0))
}

fn from_row(row: &Row) -> StoreResult<Received> {
    Ok(Received {
        room: row.int(0)?,
        id: row.text(1)?,
        origin: row.int(2)?,
        received_ms: row.int(3)?,
        place: row.int(4)?,
        failures: row.int(5)?,
        due_ms: row.int(6)?,
        json: json_at(row, 7)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_stores;

    fn received(id: &str, received_ms: i64, due_ms: i64) -> Received {
        Received {
            room: 1,
            id: id.to_owned(),
            origin: 7,
            json: format!(r#"{{"id":"{id}"}}"#),
            received_ms,
            place: 0,
            failures: 0,
            due_ms,
        }
    }

    #[tokio::test]
    async fn what_was_received_waits_in_its_order_until_it_is_worked_off() {
        for nodes in test_stores::both().await {
            let mut read = nodes.two.read();
            assert_eq!(next_due(&mut read).await.unwrap(), None);
            let (first, second, later) = (
                received("$b", 10, 0),
                received("$a", 20, 0),
                received("$c", 15, 500),
            );
            let elsewhere = Received {
                room: 2,
                ..received("$d", 1, 600)
            };
            let mut writes = WriteSet::new();
            put(&mut writes, &second);
            put(&mut writes, &later);
            put(&mut writes, &first);
            put(&mut writes, &elsewhere);
            wake(&mut writes);
            nodes.one.commit(writes).await.unwrap();

            assert_eq!(list_rooms(&mut read, 100, &[], 9).await.unwrap(), [1]);
            assert_eq!(list_rooms(&mut read, 600, &[], 9).await.unwrap(), [1, 2]);
            assert_eq!(list_rooms(&mut read, 600, &[1, 7], 9).await.unwrap(), [2]);
            let due = list_due(&mut read, 1, 100, 9).await.unwrap();
            assert_eq!(due, [first.clone(), second.clone()]);
            let due = list_due(&mut read, 1, 500, 2).await.unwrap();
            assert_eq!(due, [first.clone(), later.clone()]);
            assert_eq!(count(&mut read, 1, 7, 9).await.unwrap(), 3);
            assert_eq!(count(&mut read, 1, 7, 2).await.unwrap(), 2);
            assert_eq!(count(&mut read, 1, 8, 9).await.unwrap(), 0);

            let again = Received {
                failures: 1,
                due_ms: 900,
                ..first
            };
            let mut writes = WriteSet::new();
            put(&mut writes, &again);
            delete(&mut writes, &second);
            nodes.one.commit(writes).await.unwrap();
            assert_eq!(next_due(&mut read).await.unwrap(), Some(500));
            let due = list_due(&mut read, 1, 1_000, 9).await.unwrap();
            assert_eq!(due, [again, later]);
            nodes.close().await;
        }
    }

    #[tokio::test]
    async fn who_sends_a_lot_takes_nobodys_turn() {
        for nodes in test_stores::both().await {
            let mut read = nodes.two.read();
            let mut writes = WriteSet::new();
            let many: Vec<_> = (0..9).map(|n| received(&format!("$m{n}"), n, 0)).collect();
            let few = [("$x", 50, 8), ("$y", 60, 8), ("$z", 40, 9)];
            let few = few.map(|(id, received_ms, origin)| Received {
                origin,
                ..received(id, received_ms, 0)
            });
            let rows = many.iter().chain(&few);
            rows.for_each(|row| put(&mut writes, row));
            nodes.one.commit(writes).await.unwrap();
            let due = list_due(&mut read, 1, 0, 6).await.unwrap();
            let ids: Vec<&str> = due.iter().map(|row| row.id.as_str()).collect();
            assert_eq!(ids, ["$m0", "$m1", "$m2", "$z", "$x", "$y"]);
            nodes.close().await;
        }
    }
}
