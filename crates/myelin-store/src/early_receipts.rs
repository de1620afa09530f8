//! Table `early_receipts`: receipts of other servers' users that came before what was read.

use crate::{OnConflict, Read, Row, StoreResult, Table, Value, WriteSet, bytes, int};

static EARLY_RECEIPTS: Table = Table {
    name: "early_receipts",
    key: &[
        int("room"),
        bytes("event_id"),
        int("user_number"),
        bytes("thread"),
    ],
    values: &[int("ts_ms"), int("received_ms")],
    version: None,
    on_conflict: OnConflict::Keep,
};

/// A receipt that waits for its event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlyReceipt {
    /// The interned room id.
    pub room: i64,
    /// The event up to which was read.
    pub event_id: String,
    /// The interned user id.
    pub user: i64,
    /// `main` or the id of a thread's root; None: it counts for the whole room.
    pub thread: Option<String>,
    /// When it was sent, as the user's server says.
    pub ts_ms: i64,
    /// When it came.
    pub received_ms: i64,
}

impl EarlyReceipt {
    fn key(&self) -> Vec<Value> {
        vec![
            self.room.into(),
            self.event_id.as_str().into(),
            self.user.into(),
            self.thread.as_deref().unwrap_or_default().into(),
        ]
    }
}

/// Keeps a receipt until its event is there.
pub fn insert(writes: &mut WriteSet, receipt: &EarlyReceipt) {
    let values = vec![receipt.ts_ms.into(), receipt.received_ms.into()];
    writes.put(&EARLY_RECEIPTS, receipt.key(), values);
}

/// Forgets a receipt.
pub fn delete(writes: &mut WriteSet, receipt: &EarlyReceipt) {
    writes.delete(&EARLY_RECEIPTS, receipt.key());
}

/// How many receipts of a room wait, counted up to `limit`.
pub async fn count(read: &mut Read, room: i64, limit: i64) -> StoreResult<i64> {
    let sql = "SELECT COUNT(*) FROM (
                   SELECT 1 FROM early_receipts WHERE room = $1 LIMIT $2
               ) AS waiting";
    let parameters = [room.into(), limit.into()];
    let row = read
        .query_one(EARLY_RECEIPTS.name, sql, &parameters)
        .await?;
    row.map_or(Ok(0), |row| row.int(0))
}

/// Those of a room whose wait is over, at most `limit`: their events are there, in whichever room
/// and with whichever fate but that of an outlier, or they came before `before_ms`.
pub async fn list_over(
    read: &mut Read,
    room: i64,
    before_ms: i64,
    limit: i64,
) -> StoreResult<Vec<EarlyReceipt>> {
    let sql = "SELECT room, event_id, user_number, thread, ts_ms, received_ms
               FROM early_receipts WHERE room = $1 AND (received_ms < $2 OR EXISTS (
                   SELECT 1 FROM event_ids JOIN events ON events.event = event_ids.event
                   WHERE event_ids.id = early_receipts.event_id AND events.status <> 1
               ))
               ORDER BY received_ms, event_id, user_number, thread LIMIT $3";
    let parameters = [room.into(), before_ms.into(), limit.into()];
    let rows = read.query(EARLY_RECEIPTS.name, sql, &parameters).await?;
    rows.iter().map(from_row).collect()
}

fn from_row(row: &Row) -> StoreResult<EarlyReceipt> {
    Ok(EarlyReceipt {
        room: row.int(0)?,
        event_id: row.text(1)?,
        user: row.int(2)?,
        thread: Some(row.text(3)?).filter(|thread| !thread.is_empty()),
        ts_ms: row.int(4)?,
        received_ms: row.int(5)?,
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        events::{self, Status, StoredEvent},
        test_stores,
    };

    fn receipt(event_id: &str, user: i64, received_ms: i64) -> EarlyReceipt {
        EarlyReceipt {
            room: 1,
            event_id: event_id.to_owned(),
            user,
            thread: None,
            ts_ms: 5,
            received_ms,
        }
    }

    fn event(number: i64, id: &str, status: Status) -> StoredEvent {
        StoredEvent {
            event: number,
            id: id.to_owned(),
            room: 1,
            room_order: 0,
            event_type: 2,
            state_key: None,
            sender: 3,
            depth: 1,
            origin_server_ts: 4,
            status,
            root_before: Bytes::new(),
            device: None,
            txn_id: None,
            delayed: None,
            json: "{}".to_owned(),
            redaction: None,
        }
    }

    fn kept(receipts: &[&EarlyReceipt]) -> WriteSet {
        let mut writes = WriteSet::new();
        for receipt in receipts {
            insert(&mut writes, receipt);
        }
        writes
    }

    #[tokio::test]
    async fn receipts_wait_for_what_was_read() {
        for nodes in test_stores::both().await {
            let mut read = nodes.two.read();
            let (one, two) = (receipt("$a", 1, 20), receipt("$a", 2, 10));
            let in_thread = EarlyReceipt {
                thread: Some("main".to_owned()),
                ..receipt("$a", 1, 30)
            };
            let (outlier, never) = (receipt("$b", 1, 20), receipt("$c", 1, 15));
            let elsewhere = EarlyReceipt {
                room: 2,
                ..receipt("$a", 1, 20)
            };
            let all = [&one, &two, &in_thread, &outlier, &never, &elsewhere];
            nodes.one.commit(kept(&all)).await.unwrap();
            assert_eq!(count(&mut read, 1, 9).await.unwrap(), 5);
            assert_eq!(count(&mut read, 1, 2).await.unwrap(), 2);
            assert!(list_over(&mut read, 1, 0, 9).await.unwrap().is_empty());
            // It has come already, and came with another time: the first one stays.
            let mut writes = WriteSet::new();
            insert(&mut writes, &receipt("$a", 2, 99));
            events::insert_received(&mut writes, &event(7, "$a", Status::Accepted));
            events::insert_received(&mut writes, &event(8, "$b", Status::Outlier));
            nodes.one.commit(writes).await.unwrap();
            let over = list_over(&mut read, 1, 0, 9).await.unwrap();
            assert_eq!(over, [two.clone(), one.clone(), in_thread.clone()]);
            let over = list_over(&mut read, 1, 16, 2).await.unwrap();
            assert_eq!(over, [two, never]);
            let mut writes = WriteSet::new();
            delete(&mut writes, &one);
            nodes.one.commit(writes).await.unwrap();
            assert_eq!(count(&mut read, 1, 9).await.unwrap(), 4);
            assert_eq!(count(&mut read, 2, 9).await.unwrap(), 1);
            nodes.close().await;
        }
    }
}
