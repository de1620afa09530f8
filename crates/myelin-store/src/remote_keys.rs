//! Tables `remote_keys` and `remote_key_answers`: what other servers sign with.

use bytes::Bytes;

use crate::{OnConflict, Param, Read, StoreResult, Table, WriteSet, bytes, int};

// Of several nodes that have asked a server at once, whichever writes last is right.
static REMOTE_KEYS: Table = Table {
    name: "remote_keys",
    key: &[bytes("server"), bytes("key_id")],
    values: &[bytes("public_key"), int("valid_until_ms")],
    version: None,
    on_conflict: OnConflict::LastWins,
};

static REMOTE_KEY_ANSWERS: Table = Table {
    name: "remote_key_answers",
    key: &[bytes("server")],
    values: &[bytes("json"), int("fetched_ms"), int("valid_until_ms")],
    version: None,
    on_conflict: OnConflict::LastWins,
};

/// A key of another server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteKeyRow {
    /// Whose it is.
    pub server: String,
    /// Its id.
    pub key_id: String,
    /// The key.
    pub public_key: Bytes,
    /// Signatures of a later time do not count.
    pub valid_until_ms: i64,
}

/// What a server has last said about its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteKeyAnswer {
    /// Canonical JSON, signed by the server.
    pub json: Bytes,
    /// When it was fetched.
    pub fetched_ms: i64,
    /// Until when the server wants it to count.
    pub valid_until_ms: i64,
}

/// All keys of these servers.
pub async fn list_by_servers<'a>(
    read: &mut Read,
    servers: impl IntoIterator<Item = &'a str>,
) -> StoreResult<Vec<RemoteKeyRow>> {
    let sql = "SELECT server, key_id, public_key, valid_until_ms FROM remote_keys
               WHERE server = ANY($1) ORDER BY server, key_id";
    let servers = servers
        .into_iter()
        .map(|server| Bytes::copy_from_slice(server.as_bytes()));
    let parameters = [Param::BytesList(servers.collect())];
    let rows = read.query(REMOTE_KEYS.name, sql, &parameters).await?;
    rows.iter()
        .map(|row| {
            Ok(RemoteKeyRow {
                server: row.text(0)?,
                key_id: row.text(1)?,
                public_key: row.bytes(2)?,
                valid_until_ms: row.int(3)?,
            })
        })
        .collect()
}

/// What a server has last said, if it was ever asked.
pub async fn find_answer(read: &mut Read, server: &str) -> StoreResult<Option<RemoteKeyAnswer>> {
    let sql = "SELECT json, fetched_ms, valid_until_ms FROM remote_key_answers WHERE server = $1";
    let row = read
        .query_one(REMOTE_KEY_ANSWERS.name, sql, &[server.into()])
        .await?;
    row.map(|row| {
        Ok(RemoteKeyAnswer {
            json: row.bytes(0)?,
            fetched_ms: row.int(1)?,
            valid_until_ms: row.int(2)?,
        })
    })
    .transpose()
}

/// Writes a key, or until when it counts.
pub fn upsert(writes: &mut WriteSet, key: RemoteKeyRow) {
    writes.put(
        &REMOTE_KEYS,
        vec![key.server.as_str().into(), key.key_id.as_str().into()],
        vec![key.public_key.into(), key.valid_until_ms.into()],
    );
}

/// Writes what a server says, in place of what it said before.
pub fn upsert_answer(writes: &mut WriteSet, server: &str, answer: RemoteKeyAnswer) {
    writes.put(
        &REMOTE_KEY_ANSWERS,
        vec![server.into()],
        vec![
            answer.json.into(),
            answer.fetched_ms.into(),
            answer.valid_until_ms.into(),
        ],
    );
}

#[cfg(test)]
mod tests;
