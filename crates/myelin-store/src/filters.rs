//! Table `filters`: what clients have uploaded to name in their requests.

use bytes::Bytes;

use crate::{OnConflict, Read, StoreResult, Table, WriteSet, bytes, int};

// A filter is named by its content.
static FILTERS: Table = Table {
    name: "filters",
    key: &[int("user_number"), bytes("filter_id")],
    values: &[int("created_ms"), bytes("definition")],
    version: None,
    on_conflict: OnConflict::Keep,
};

/// The definition of a user's filter, a JSON object.
pub async fn find(read: &mut Read, user: i64, filter_id: &str) -> StoreResult<Option<Bytes>> {
    let sql = "SELECT definition FROM filters WHERE user_number = $1 AND filter_id = $2";
    read.query_one(FILTERS.name, sql, &[user.into(), filter_id.into()])
        .await?
        .map(|row| row.bytes(0))
        .transpose()
}

/// The ids of a user's filters beyond the `kept` newest: at most 100.
pub async fn list_oldest(read: &mut Read, user: i64, kept: i64) -> StoreResult<Vec<String>> {
    let sql = "SELECT filter_id FROM filters WHERE user_number = $1
               ORDER BY created_ms DESC, filter_id LIMIT 100 OFFSET $2";
    let rows = read
        .query(FILTERS.name, sql, &[user.into(), kept.into()])
        .await?;
    rows.iter().map(|row| row.text(0)).collect()
}

/// Writes a filter; one that is there stays.
pub fn insert(
    writes: &mut WriteSet,
    user: i64,
    (filter_id, definition): (&str, &str),
    now_ms: i64,
) {
    writes.put(
        &FILTERS,
        vec![user.into(), filter_id.into()],
        vec![now_ms.into(), definition.into()],
    );
}

/// Deletes a filter if it is there.
pub fn delete(writes: &mut WriteSet, user: i64, filter_id: &str) {
    writes.delete(&FILTERS, vec![user.into(), filter_id.into()]);
}

#[cfg(test)]
mod tests;
