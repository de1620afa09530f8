//! Table `signing_keys`: the keys that this server signs with.

use bytes::Bytes;

use crate::{OnConflict, Read, Row, StoreResult, Table, WriteSet, bytes, int};

static SIGNING_KEYS: Table = Table {
    name: "signing_keys",
    key: &[int("number")],
    values: &[
        bytes("key_version"),
        bytes("seed"),
        int("created_ms"),
        int("expired_ms"),
    ],
    version: None,
    on_conflict: OnConflict::LastWins,
};

/// The number of the key made at first start.
const FIRST: i64 = 1;

/// One key.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKeyRow {
    /// What stands after `ed25519:` in its id.
    pub key_version: String,
    /// The secret.
    pub seed: Bytes,
    /// When it was made or imported.
    pub created_ms: i64,
    /// Until when it counts; None for the newest, which signs.
    pub expired_ms: Option<i64>,
}

/// The key that signs now.
pub async fn find_newest(read: &mut Read) -> StoreResult<Option<SigningKeyRow>> {
    let sql = "SELECT key_version, seed, created_ms, expired_ms FROM signing_keys
               ORDER BY number DESC LIMIT 1";
    let row = read.query_one(SIGNING_KEYS.name, sql, &[]).await?;
    row.map(|row| from_row(&row)).transpose()
}

/// All keys, the newest first.
pub async fn list(read: &mut Read) -> StoreResult<Vec<SigningKeyRow>> {
    let sql = "SELECT key_version, seed, created_ms, expired_ms FROM signing_keys
               ORDER BY number DESC";
    let rows = read.query(SIGNING_KEYS.name, sql, &[]).await?;
    rows.iter().map(from_row).collect()
}

/// Writes the first key; falls if another node, or an earlier start, made one.
pub fn insert_first(writes: &mut WriteSet, key: &SigningKeyRow) {
    writes.insert(&SIGNING_KEYS, vec![FIRST.into()], values(key));
}

/// Puts a new key before all others, of which the newest from now on ends as it says. `keys` is what
/// [`list`] gave; falls if there is another key by now.
pub fn rotate(writes: &mut WriteSet, keys: &[SigningKeyRow], new: &SigningKeyRow) {
    let newest = FIRST + i64::try_from(keys.len()).unwrap_or(i64::MAX) - 1;
    if let Some(key) = keys.first() {
        writes.put(&SIGNING_KEYS, vec![newest.into()], values(key));
    }
    writes.insert(&SIGNING_KEYS, vec![(newest + 1).into()], values(new));
}

fn values(key: &SigningKeyRow) -> Vec<crate::Value> {
    vec![
        key.key_version.as_str().into(),
        key.seed.clone().into(),
        key.created_ms.into(),
        key.expired_ms.unwrap_or(0).into(),
    ]
}

fn from_row(row: &Row) -> StoreResult<SigningKeyRow> {
    Ok(SigningKeyRow {
        key_version: row.text(0)?,
        seed: row.bytes(1)?,
        created_ms: row.int(2)?,
        expired_ms: Some(row.int(3)?).filter(|expired_ms| *expired_ms != 0),
    })
}

#[cfg(test)]
mod tests;
