//! Table `transactions`: requests already answered, so that their repetition changes nothing.

use crate::{OnConflict, Read, StoreResult, Table, WriteSet, bytes, int};

static TRANSACTIONS: Table = Table {
    name: "transactions",
    key: &[int("user_number"), bytes("device"), bytes("txn")],
    values: &[int("result"), int("created_ms")],
    version: None,
    on_conflict: OnConflict::Replace,
};

/// Names a request that may be repeated: spec "Transaction identifiers", whose scope is the device
/// and the endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// The interned user id.
    pub user: i64,
    /// The device id.
    pub device: String,
    /// The endpoint and what its path names, without the transaction id.
    pub scope: String,
    /// The client's transaction id.
    pub txn_id: String,
}

impl Transaction {
    fn key(&self) -> crate::Key {
        // A NUL cannot be part of a path, so no scope can imitate another's transaction.
        let txn = format!("{}\0{}", self.scope, self.txn_id);
        vec![
            self.user.into(),
            self.device.as_str().into(),
            txn.as_str().into(),
        ]
    }
}

/// The number that the request was answered with.
pub async fn find(read: &mut Read, transaction: &Transaction) -> StoreResult<Option<i64>> {
    let sql = "SELECT result FROM transactions WHERE user_number = $1 AND device = $2 AND txn = $3";
    let parameters: Vec<_> = transaction
        .key()
        .into_iter()
        .map(crate::Param::Value)
        .collect();
    read.query_one(TRANSACTIONS.name, sql, &parameters)
        .await?
        .map(|row| row.int(0))
        .transpose()
}

/// Remembers an answer; the set falls if the request was answered meanwhile.
pub fn insert(writes: &mut WriteSet, transaction: &Transaction, result: i64, now_ms: i64) {
    writes.insert(
        &TRANSACTIONS,
        transaction.key(),
        vec![result.into(), now_ms.into()],
    );
}
