//! Table `uia_sessions`: User-Interactive Authentication that has begun.

use bytes::Bytes;

use crate::{OnConflict, Read, Row, StoreResult, Table, Value, WriteSet, bytes, int};

static UIA_SESSIONS: Table = Table {
    name: "uia_sessions",
    key: &[bytes("id_hash")],
    values: &[
        bytes("request"),
        bytes("act"),
        int("user_number"),
        bytes("flows"),
        bytes("completed"),
        bytes("registration_token"),
        bytes("terms_version"),
        int("expires_ms"),
        int("version"),
    ],
    version: Some(8),
    on_conflict: OnConflict::Replace,
};

/// One session. What its texts mean is known to who writes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UiaSession {
    /// The SHA-256 of its id.
    pub id_hash: Bytes,
    /// Tells the request apart from others.
    pub request: Bytes,
    /// What is to be done.
    pub act: String,
    /// Who is logged in.
    pub user_number: Option<i64>,
    /// The flows on offer.
    pub flows: String,
    /// The stages done.
    pub completed: String,
    /// The registration token that a stage was done with.
    pub registration_token: Option<String>,
    /// The version of the terms that was shown.
    pub terms_version: Option<String>,
    /// When it ends.
    pub expires_ms: i64,
    /// Raised by each change.
    pub version: i64,
}

/// The session with this hash of its id, even if it has expired.
pub async fn find(read: &mut Read, id_hash: &[u8; 32]) -> StoreResult<Option<UiaSession>> {
    let row = read
        .query_one(
            UIA_SESSIONS.name,
            "SELECT id_hash, request, act, user_number, flows, completed, registration_token,
                    terms_version, expires_ms, version
             FROM uia_sessions WHERE id_hash = $1",
            &[id_hash.as_slice().into()],
        )
        .await?;
    row.map(|row| from_row(&row)).transpose()
}

/// The sessions that have expired, oldest first, at most `limit`.
pub async fn list_expired(
    read: &mut Read,
    now_ms: i64,
    limit: i64,
) -> StoreResult<Vec<UiaSession>> {
    let rows = read
        .query(
            UIA_SESSIONS.name,
            "SELECT id_hash, request, act, user_number, flows, completed, registration_token,
                    terms_version, expires_ms, version
             FROM uia_sessions WHERE expires_ms <= $1 ORDER BY expires_ms LIMIT $2",
            &[now_ms.into(), limit.into()],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

/// The sessions of a user, those that end last first.
pub async fn list_of_user(read: &mut Read, user_number: i64) -> StoreResult<Vec<UiaSession>> {
    let rows = read
        .query(
            UIA_SESSIONS.name,
            "SELECT id_hash, request, act, user_number, flows, completed, registration_token,
                    terms_version, expires_ms, version
             FROM uia_sessions WHERE user_number = $1 ORDER BY expires_ms DESC, id_hash",
            &[user_number.into()],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

/// How many sessions have this registration token and have not expired.
pub async fn count_with_registration_token(
    read: &mut Read,
    token: &str,
    now_ms: i64,
) -> StoreResult<i64> {
    let row = read
        .query_one(
            UIA_SESSIONS.name,
            "SELECT CAST(COUNT(*) AS BIGINT) FROM uia_sessions
             WHERE registration_token = $1 AND expires_ms > $2",
            &[token.into(), now_ms.into()],
        )
        .await?;
    row.map_or(Ok(0), |row| row.int(0))
}

/// Writes a new session; falls if there is one with this id.
pub fn insert(writes: &mut WriteSet, session: &UiaSession) {
    writes.insert(
        &UIA_SESSIONS,
        key(session),
        values(session, session.version),
    );
}

/// Writes a changed session; falls if it is not as it was read.
pub fn update(writes: &mut WriteSet, session: &UiaSession) {
    expect(writes, session);
    writes.put(
        &UIA_SESSIONS,
        key(session),
        values(session, session.version + 1),
    );
}

/// Ends a session; falls if it is not as it was read, so that nobody uses it twice.
pub fn end(writes: &mut WriteSet, session: &UiaSession) {
    expect(writes, session);
    delete(writes, session);
}

/// Deletes a session, whatever became of it.
pub fn delete(writes: &mut WriteSet, session: &UiaSession) {
    writes.delete(&UIA_SESSIONS, key(session));
}

fn expect(writes: &mut WriteSet, session: &UiaSession) {
    writes.expect(&UIA_SESSIONS, key(session), Some(session.version));
}

fn key(session: &UiaSession) -> Vec<Value> {
    vec![session.id_hash.clone().into()]
}

fn values(session: &UiaSession, version: i64) -> Vec<Value> {
    vec![
        session.request.clone().into(),
        session.act.as_str().into(),
        session.user_number.into(),
        session.flows.as_str().into(),
        session.completed.as_str().into(),
        session.registration_token.as_deref().into(),
        session.terms_version.as_deref().into(),
        session.expires_ms.into(),
        version.into(),
    ]
}

fn from_row(row: &Row) -> StoreResult<UiaSession> {
    Ok(UiaSession {
        id_hash: row.bytes(0)?,
        request: row.bytes(1)?,
        act: row.text(2)?,
        user_number: row.opt_int(3)?,
        flows: row.text(4)?,
        completed: row.text(5)?,
        registration_token: row.opt_text(6)?,
        terms_version: row.opt_text(7)?,
        expires_ms: row.int(8)?,
        version: row.int(9)?,
    })
}

#[cfg(test)]
mod tests;
