//! Table `login_tokens`: tokens that log in once.

use bytes::Bytes;

use crate::{OnConflict, Read, Row, StoreResult, Table, WriteSet, bytes, int};

static LOGIN_TOKENS: Table = Table {
    name: "login_tokens",
    key: &[bytes("token_hash")],
    values: &[int("user_number"), int("expires_ms")],
    version: None,
    on_conflict: OnConflict::Replace,
};

/// Whom a login token logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginToken {
    /// The interned user id.
    pub user_number: i64,
    /// When it ends.
    pub expires_ms: i64,
}

/// The hashes of tokens that have expired, oldest first, at most `limit`.
pub async fn list_expired(read: &mut Read, now_ms: i64, limit: i64) -> StoreResult<Vec<Bytes>> {
    let rows = read
        .query(
            LOGIN_TOKENS.name,
            "SELECT token_hash FROM login_tokens WHERE expires_ms <= $1
             ORDER BY expires_ms LIMIT $2",
            &[now_ms.into(), limit.into()],
        )
        .await?;
    rows.iter().map(|row| row.bytes(0)).collect()
}

/// Writes a new token.
pub fn insert(writes: &mut WriteSet, token_hash: &[u8; 32], token: &LoginToken) {
    writes.insert(
        &LOGIN_TOKENS,
        vec![token_hash.as_slice().into()],
        vec![token.user_number.into(), token.expires_ms.into()],
    );
}

/// Takes a token, which only one taker gets. The answer to [`from_taken`].
pub fn take(writes: &mut WriteSet, token_hash: &[u8; 32]) -> usize {
    writes.take_first(&LOGIN_TOKENS, vec![token_hash.as_slice().into()], None)
}

/// The token in the row that [`take`] has brought.
pub fn from_taken(row: &Row) -> StoreResult<LoginToken> {
    Ok(LoginToken {
        user_number: row.int(1)?,
        expires_ms: row.int(2)?,
    })
}

/// Deletes a token, by its hash.
pub fn delete(writes: &mut WriteSet, token_hash: Bytes) {
    writes.delete(&LOGIN_TOKENS, vec![token_hash.into()]);
}

#[cfg(test)]
mod tests;
