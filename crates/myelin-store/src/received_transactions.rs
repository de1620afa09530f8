//! Table `received_transactions`: what other servers were answered, for when they ask again.

use bytes::Bytes;

use crate::{OnConflict, Read, StoreResult, Table, WriteSet, bytes, int};

static RECEIVED_TRANSACTIONS: Table = Table {
    name: "received_transactions",
    key: &[int("origin"), bytes("txn_id")],
    values: &[bytes("answer"), int("received_ms")],
    version: None,
    on_conflict: OnConflict::Keep,
};

/// What a transaction was answered with.
pub async fn find(read: &mut Read, origin: i64, txn_id: &str) -> StoreResult<Option<Bytes>> {
    let sql = "SELECT answer FROM received_transactions WHERE origin = $1 AND txn_id = $2";
    let parameters = [origin.into(), txn_id.into()];
    let row = read
        .query_one(RECEIVED_TRANSACTIONS.name, sql, &parameters)
        .await?;
    row.map(|row| row.bytes(0)).transpose()
}

/// Remembers an answer, in the set of what it tells of. The set falls if there is one already.
pub fn insert(
    writes: &mut WriteSet,
    (origin, txn_id): (i64, &str),
    answer: Bytes,
    received_ms: i64,
) {
    writes.insert(
        &RECEIVED_TRANSACTIONS,
        vec![origin.into(), txn_id.into()],
        vec![answer.into(), received_ms.into()],
    );
}

/// Transactions received before this time, the oldest first, at most `limit`.
pub async fn list_older(
    read: &mut Read,
    before_ms: i64,
    limit: i64,
) -> StoreResult<Vec<(i64, String)>> {
    let sql = "SELECT origin, txn_id FROM received_transactions WHERE received_ms < $1
               ORDER BY received_ms LIMIT $2";
    let parameters = [before_ms.into(), limit.into()];
    let rows = read
        .query(RECEIVED_TRANSACTIONS.name, sql, &parameters)
        .await?;
    rows.iter()
        .map(|row| Ok((row.int(0)?, row.text(1)?)))
        .collect()
}

/// Forgets a transaction that nobody will send again.
pub fn delete(writes: &mut WriteSet, (origin, txn_id): (i64, &str)) {
    writes.delete(&RECEIVED_TRANSACTIONS, vec![origin.into(), txn_id.into()]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{StoreError, test_stores};

    #[tokio::test]
    async fn an_answer_is_given_once_and_found_until_it_is_forgotten() {
        for nodes in test_stores::both().await {
            let answer = Bytes::from_static(b"{}");
            let mut writes = WriteSet::new();
            insert(&mut writes, (7, "one"), answer.clone(), 10);
            insert(&mut writes, (8, "one"), answer.clone(), 20);
            nodes.one.commit(writes).await.unwrap();
            let mut read = nodes.two.read();
            assert_eq!(find(&mut read, 7, "one").await.unwrap(), Some(answer));
            assert_eq!(find(&mut read, 7, "two").await.unwrap(), None);
            let mut writes = WriteSet::new();
            insert(&mut writes, (7, "one"), Bytes::new(), 30);
            let again = nodes.one.commit(writes).await;
            assert!(matches!(again, Err(StoreError::Conflict)), "{again:?}");

            let old = list_older(&mut read, 20, 9).await.unwrap();
            assert_eq!(old, [(7, "one".to_owned())]);
            let mut writes = WriteSet::new();
            delete(&mut writes, (7, "one"));
            nodes.one.commit(writes).await.unwrap();
            assert_eq!(find(&mut read, 7, "one").await.unwrap(), None);
            nodes.close().await;
        }
    }
}
