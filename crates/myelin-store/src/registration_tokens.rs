//! Table `registration_tokens`: invitations to register.

use crate::{OnConflict, Read, Row, StoreResult, Table, Value, WriteSet, bytes, int};

static REGISTRATION_TOKENS: Table = Table {
    name: "registration_tokens",
    key: &[bytes("token")],
    values: &[
        int("uses_allowed"),
        int("completed"),
        int("created_ms"),
        int("expires_ms"),
        int("version"),
    ],
    version: Some(4),
    on_conflict: OnConflict::Replace,
};

/// One token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistrationToken {
    /// The token itself.
    pub token: String,
    /// How many may register with it; None: any number.
    pub uses_allowed: Option<i64>,
    /// How many have registered with it.
    pub completed: i64,
    /// When it was made.
    pub created_ms: i64,
    /// When it ends, if it does.
    pub expires_ms: Option<i64>,
    /// Raised by each use that begins or ends.
    pub version: i64,
}

/// One token, even if it is of no use any more.
pub async fn find(read: &mut Read, token: &str) -> StoreResult<Option<RegistrationToken>> {
    let row = read
        .query_one(
            REGISTRATION_TOKENS.name,
            "SELECT token, uses_allowed, completed, created_ms, expires_ms, version
             FROM registration_tokens WHERE token = $1",
            &[token.into()],
        )
        .await?;
    row.map(|row| from_row(&row)).transpose()
}

/// All tokens, oldest first.
pub async fn list(read: &mut Read) -> StoreResult<Vec<RegistrationToken>> {
    let rows = read
        .query(
            REGISTRATION_TOKENS.name,
            "SELECT token, uses_allowed, completed, created_ms, expires_ms, version
             FROM registration_tokens ORDER BY created_ms, token",
            &[],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

/// Whether there is any token, of use or not.
pub async fn exists_any(read: &mut Read) -> StoreResult<bool> {
    let row = read
        .query_one(
            REGISTRATION_TOKENS.name,
            "SELECT version FROM registration_tokens LIMIT 1",
            &[],
        )
        .await?;
    Ok(row.is_some())
}

/// Writes a new token; falls if there is one.
pub fn insert(writes: &mut WriteSet, token: &RegistrationToken) {
    writes.insert(
        &REGISTRATION_TOKENS,
        key(token),
        values(token, token.version),
    );
}

/// Writes a changed token; falls if it is not as it was read.
pub fn update(writes: &mut WriteSet, token: &RegistrationToken) {
    writes.expect(&REGISTRATION_TOKENS, key(token), Some(token.version));
    writes.put(
        &REGISTRATION_TOKENS,
        key(token),
        values(token, token.version + 1),
    );
}

/// Deletes a token.
pub fn delete(writes: &mut WriteSet, token: &RegistrationToken) {
    writes.delete(&REGISTRATION_TOKENS, key(token));
}

fn key(token: &RegistrationToken) -> Vec<Value> {
    vec![token.token.as_str().into()]
}

fn values(token: &RegistrationToken, version: i64) -> Vec<Value> {
    vec![
        token.uses_allowed.into(),
        token.completed.into(),
        token.created_ms.into(),
        token.expires_ms.into(),
        version.into(),
    ]
}

fn from_row(row: &Row) -> StoreResult<RegistrationToken> {
    Ok(RegistrationToken {
        token: row.text(0)?,
        uses_allowed: row.opt_int(1)?,
        completed: row.int(2)?,
        created_ms: row.int(3)?,
        expires_ms: row.opt_int(4)?,
        version: row.int(5)?,
    })
}

#[cfg(test)]
mod tests;
