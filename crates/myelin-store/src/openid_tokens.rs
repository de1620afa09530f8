//! Table `openid_tokens`: tokens by which users prove to other services who they are.

use bytes::Bytes;

use crate::{OnConflict, Read, StoreResult, Table, WriteSet, int, sessions::TokenHash};

static OPENID_TOKENS: Table = Table {
    name: "openid_tokens",
    key: &[crate::bytes("token_hash")],
    values: &[int("user_number"), int("expires_ms")],
    version: None,
    on_conflict: OnConflict::Replace,
};

/// The interned id of the user whom a token stands for, unless it has expired.
pub async fn find(
    read: &mut Read,
    token_hash: &TokenHash,
    now_ms: i64,
) -> StoreResult<Option<i64>> {
    let sql = "SELECT user_number FROM openid_tokens WHERE token_hash = $1 AND expires_ms > $2";
    let parameters = [token_hash.as_slice().into(), now_ms.into()];
    read.query_one(OPENID_TOKENS.name, sql, &parameters)
        .await?
        .map(|row| row.int(0))
        .transpose()
}

/// The hashes of tokens that have expired, the oldest first, at most `limit`.
pub async fn list_expired(read: &mut Read, now_ms: i64, limit: i64) -> StoreResult<Vec<Bytes>> {
    let sql = "SELECT token_hash FROM openid_tokens WHERE expires_ms <= $1
               ORDER BY expires_ms LIMIT $2";
    let rows = read
        .query(OPENID_TOKENS.name, sql, &[now_ms.into(), limit.into()])
        .await?;
    rows.iter().map(|row| row.bytes(0)).collect()
}

/// Writes a new token.
pub fn insert(writes: &mut WriteSet, token_hash: &TokenHash, user: i64, expires_ms: i64) {
    writes.insert(
        &OPENID_TOKENS,
        vec![token_hash.as_slice().into()],
        vec![user.into(), expires_ms.into()],
    );
}

/// Deletes a token.
pub fn delete(writes: &mut WriteSet, token_hash: Bytes) {
    writes.delete(&OPENID_TOKENS, vec![token_hash.into()]);
}

#[cfg(test)]
mod tests;
