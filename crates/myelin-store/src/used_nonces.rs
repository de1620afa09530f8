//! Table `used_nonces`: nonces of shared-secret registration that nobody may use again.

use bytes::Bytes;

use crate::{OnConflict, Read, StoreResult, Table, WriteSet, bytes, int};

static USED_NONCES: Table = Table {
    name: "used_nonces",
    key: &[bytes("nonce_hash")],
    values: &[int("expires_ms")],
    version: None,
    on_conflict: OnConflict::Replace,
};

/// Whether a nonce was used.
pub async fn exists(read: &mut Read, nonce_hash: &[u8; 32]) -> StoreResult<bool> {
    let row = read
        .query_one(
            USED_NONCES.name,
            "SELECT expires_ms FROM used_nonces WHERE nonce_hash = $1",
            &[nonce_hash.as_slice().into()],
        )
        .await?;
    Ok(row.is_some())
}

/// The hashes of nonces that have expired by themselves, oldest first, at most `limit`.
pub async fn list_expired(read: &mut Read, now_ms: i64, limit: i64) -> StoreResult<Vec<Bytes>> {
    let rows = read
        .query(
            USED_NONCES.name,
            "SELECT nonce_hash FROM used_nonces WHERE expires_ms <= $1
             ORDER BY expires_ms LIMIT $2",
            &[now_ms.into(), limit.into()],
        )
        .await?;
    rows.iter().map(|row| row.bytes(0)).collect()
}

/// Uses a nonce up; falls if it was used.
pub fn insert(writes: &mut WriteSet, nonce_hash: &[u8; 32], expires_ms: i64) {
    writes.insert(
        &USED_NONCES,
        vec![nonce_hash.as_slice().into()],
        vec![expires_ms.into()],
    );
}

/// Forgets a nonce, by its hash.
pub fn delete(writes: &mut WriteSet, nonce_hash: Bytes) {
    writes.delete(&USED_NONCES, vec![nonce_hash.into()]);
}

#[cfg(test)]
mod tests;
