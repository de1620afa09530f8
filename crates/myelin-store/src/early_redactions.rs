//! Table `early_redactions`: redactions of other servers that came before what they redact.

use bytes::Bytes;

use crate::{OnConflict, Param, Read, StoreResult, Table, WriteSet, bytes, events, int};

static EARLY_REDACTIONS: Table = Table {
    name: "early_redactions",
    key: &[bytes("redacts"), int("event")],
    values: &[],
    version: None,
    on_conflict: OnConflict::Keep,
};

/// Redactions of one event that are remembered; the first one that counts is enough.
const LIMIT: i64 = 20;

/// The numbers of the redactions that wait for the event with this id, the oldest first.
pub async fn list(read: &mut Read, redacts: &str) -> StoreResult<Vec<i64>> {
    let sql = "SELECT event FROM early_redactions WHERE redacts = $1 ORDER BY event LIMIT $2";
    let rows = read
        .query(EARLY_REDACTIONS.name, sql, &[redacts.into(), LIMIT.into()])
        .await?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// Those of these ids for which redactions wait.
pub async fn list_awaited(read: &mut Read, ids: &[&str]) -> StoreResult<Vec<String>> {
    let sql = "SELECT DISTINCT redacts FROM early_redactions WHERE redacts = ANY($1)";
    let ids = ids.iter().map(|id| Bytes::copy_from_slice(id.as_bytes()));
    let ids = Param::BytesList(ids.collect());
    let rows = read.query(EARLY_REDACTIONS.name, sql, &[ids]).await?;
    rows.iter().map(|row| row.text(0)).collect()
}

/// Remembers a redaction, in the set that adds it. The set falls if what it redacts has become
/// known meanwhile: then it is for the redaction to cut it.
pub fn insert(writes: &mut WriteSet, redacts: &str, event: i64) {
    events::expect_unknown(writes, redacts);
    let key = vec![redacts.into(), event.into()];
    writes.put(&EARLY_REDACTIONS, key, Vec::new());
}

/// Forgets redactions, in the set that adds what they are about.
pub fn delete(writes: &mut WriteSet, redacts: &str, events: &[i64]) {
    for event in events {
        writes.delete(&EARLY_REDACTIONS, vec![redacts.into(), (*event).into()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_stores;

    #[tokio::test]
    async fn redactions_wait_for_what_they_are_about() {
        for nodes in test_stores::both().await {
            let mut writes = WriteSet::new();
            insert(&mut writes, "$a", 8);
            insert(&mut writes, "$a", 7);
            insert(&mut writes, "$b", 9);
            nodes.one.commit(writes).await.unwrap();
            let mut read = nodes.two.read();
            assert_eq!(list(&mut read, "$a").await.unwrap(), [7, 8]);
            let mut awaited = list_awaited(&mut read, &["$b", "$c", "$a"]).await.unwrap();
            awaited.sort();
            assert_eq!(awaited, ["$a", "$b"]);
            let mut writes = WriteSet::new();
            delete(&mut writes, "$a", &[7, 8]);
            nodes.one.commit(writes).await.unwrap();
            assert!(list(&mut read, "$a").await.unwrap().is_empty());
            assert_eq!(list(&mut read, "$b").await.unwrap(), [9]);
            nodes.close().await;
        }
    }
}
