//! Table `signing_keys`: the keys that this server signs with.

use bytes::Bytes;

use crate::{OnConflict, Read, StoreResult, Table, WriteSet, bytes, int};

static SIGNING_KEYS: Table = Table {
    name: "signing_keys",
    key: &[int("number")],
    values: &[bytes("key_version"), bytes("seed"), int("created_ms")],
    version: None,
    on_conflict: OnConflict::Replace,
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
}

/// The key that signs now.
pub async fn find_newest(read: &mut Read) -> StoreResult<Option<SigningKeyRow>> {
    let row = read
        .query_one(
            "signing_keys",
            "SELECT key_version, seed, created_ms FROM signing_keys ORDER BY number DESC LIMIT 1",
            &[],
        )
        .await?;
    row.map(|row| {
        Ok(SigningKeyRow {
            key_version: row.text(0)?,
            seed: row.bytes(1)?,
            created_ms: row.int(2)?,
        })
    })
    .transpose()
}

/// Writes the first key; falls if another node, or an earlier start, made one.
pub fn insert_first(writes: &mut WriteSet, key: &SigningKeyRow) {
    writes.insert(
        &SIGNING_KEYS,
        vec![FIRST.into()],
        vec![
            key.key_version.as_str().into(),
            key.seed.clone().into(),
            key.created_ms.into(),
        ],
    );
}

#[cfg(test)]
mod tests;
