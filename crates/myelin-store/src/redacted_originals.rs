//! Table `redacted_originals`: what redacted events said, kept for some days and then deleted.

use crate::{
    OnConflict, Read, StoreResult, Table, WriteSet, bytes,
    events::{StoredEvent, encode_json, json_at},
    int,
};

static REDACTED_ORIGINALS: Table = Table {
    name: "redacted_originals",
    key: &[int("event")],
    values: &[bytes("json"), int("expires_ms")],
    version: None,
    on_conflict: OnConflict::Keep,
};

/// What an event said before it was redacted, as long as that is kept.
pub async fn find(read: &mut Read, event: i64) -> StoreResult<Option<String>> {
    let sql = "SELECT json FROM redacted_originals WHERE event = $1";
    let row = read
        .query_one(REDACTED_ORIGINALS.name, sql, &[event.into()])
        .await?;
    row.map(|row| json_at(&row, 0)).transpose()
}

/// At most `limit` events whose originals are to be deleted at this time, the oldest first.
pub async fn list_expired(read: &mut Read, now_ms: i64, limit: i64) -> StoreResult<Vec<i64>> {
    let sql = "SELECT event FROM redacted_originals WHERE expires_ms <= $1
               ORDER BY expires_ms, event LIMIT $2";
    let parameters = [now_ms.into(), limit.into()];
    let rows = read
        .query(REDACTED_ORIGINALS.name, sql, &parameters)
        .await?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// Keeps an event as it is before its redaction.
pub fn insert(writes: &mut WriteSet, event: &StoredEvent, expires_ms: i64) {
    writes.put(
        &REDACTED_ORIGINALS,
        vec![event.event.into()],
        vec![encode_json(&event.json), expires_ms.into()],
    );
}

/// Deletes what an event said.
pub fn delete(writes: &mut WriteSet, event: i64) {
    writes.delete(&REDACTED_ORIGINALS, vec![event.into()]);
}
