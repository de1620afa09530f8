//! This server's keys as others see them, and their change.
//!
//! A change has a time of transition in which both keys count, for the nodes sign with the old one
//! until each was restarted, and other servers must know both.

use bytes::Bytes;
use myelin_core::{
    environment::{Chance, Clock},
    server::Server,
    signing_key::SigningKey,
};
use myelin_store::{
    Store, WriteSet,
    signing_keys::{self, SigningKeyRow},
};
use ruma::CanonicalJsonObject;
use serde_json::{Map, Value, json};

use crate::signing_key::{SigningKeyError, key_of, new_key};

const HOUR_MS: u64 = 60 * 60 * 1000;
/// How long others may take our keys for valid before they ask again.
const VALIDITY_MS: u64 = 24 * HOUR_MS;
/// At least that long, lest they ask again at once.
const VALIDITY_MIN_MS: u64 = HOUR_MS;

/// One of this server's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnKey {
    /// Its id.
    pub key_id: String,
    /// Its public half, in base64.
    pub public_key: String,
    /// When it was made or imported.
    pub created_ms: u64,
    /// Until when it counts; None for the newest, which signs.
    pub expired_ms: Option<u64>,
}

/// All keys of this server, the newest first.
pub async fn list_own_keys(store: &Store) -> Result<Vec<OwnKey>, SigningKeyError> {
    let rows = signing_keys::list(&mut store.read()).await?;
    rows.iter()
        .map(|row| {
            let key = key_of(row)?;
            Ok(OwnKey {
                key_id: key.key_id().to_owned(),
                public_key: key.public_key_base64(),
                created_ms: row.created_ms.try_into().unwrap_or_default(),
                expired_ms: expired_ms(row),
            })
        })
        .collect()
}

/// Makes a new key, with which each node signs from its next start; the one before it counts for as
/// long as the transition takes. Returns the new key's id.
pub async fn rotate_signing_key(
    store: &Store,
    clock: &dyn Clock,
    chance: &dyn Chance,
    transition_ms: u64,
) -> Result<String, SigningKeyError> {
    let mut attempts = store.attempts();
    loop {
        let mut keys = signing_keys::list(&mut store.read()).await?;
        let now_ms = clock.now_ms();
        if let Some(newest) = keys.first_mut() {
            newest.expired_ms = Some(now_ms.saturating_add(transition_ms).cast_signed());
        }
        let new = new_key(chance);
        let key_id = SigningKey::from_seed(&new.version, new.seed)
            .key_id()
            .to_owned();
        let row = SigningKeyRow {
            key_version: new.version,
            seed: Bytes::copy_from_slice(&new.seed),
            created_ms: now_ms.cast_signed(),
            expired_ms: None,
        };
        let mut writes = WriteSet::new();
        signing_keys::rotate(&mut writes, &keys, &row);
        if attempts.commit(writes).await?.is_some() {
            return Ok(key_id);
        }
    }
}

/// Whether a newer key waits for this node to be started again.
pub async fn has_newer_key(server: &Server, store: &Store) -> Result<bool, SigningKeyError> {
    let newest = signing_keys::find_newest(&mut store.read()).await?;
    Ok(newest.is_some_and(|row| row.key_version != server.key.version()))
}

/// What this server says of its keys, signed by all that count now.
pub async fn published_keys(
    server: &Server,
    store: &Store,
) -> Result<CanonicalJsonObject, SigningKeyError> {
    let now_ms = server.now_ms();
    let (mut current, mut old) = (Map::new(), Map::new());
    let own = json!({"key": server.key.public_key_base64()});
    current.insert(server.key.key_id().to_owned(), own);
    let mut valid_until_ms = now_ms.saturating_add(VALIDITY_MS);
    let mut signers: Vec<SigningKey> = Vec::new();
    for row in signing_keys::list(&mut store.read()).await? {
        let key = key_of(&row)?;
        let public = key.public_key_base64();
        match expired_ms(&row) {
            Some(expired_ms) if expired_ms <= now_ms => {
                let entry = json!({"key": public, "expired_ts": expired_ms});
                old.insert(key.key_id().to_owned(), entry);
                continue;
            }
            Some(expired_ms) => valid_until_ms = valid_until_ms.min(expired_ms),
            None => {}
        }
        current.insert(key.key_id().to_owned(), json!({"key": public}));
        signers.push(key);
    }
    // A node that still signs with a key that counts no more must be started again; until then its
    // key is among the old ones alone.
    if old.contains_key(server.key.key_id()) {
        current.remove(server.key.key_id());
    }
    let valid_until_ms = valid_until_ms.max(now_ms.saturating_add(VALIDITY_MIN_MS));
    let keys = json!({
        "server_name": server.name,
        "valid_until_ts": valid_until_ms,
        "verify_keys": Value::Object(current),
        "old_verify_keys": Value::Object(old),
    });
    let unsignable = |error: &dyn std::error::Error| SigningKeyError::Unsignable(error.to_string());
    let mut object: CanonicalJsonObject =
        serde_json::from_value(keys).map_err(|error| unsignable(&error))?;
    for key in signers.iter().chain([&server.key]) {
        key.sign_object(&server.name, &mut object)
            .map_err(|error| unsignable(&error))?;
    }
    Ok(object)
}

fn expired_ms(row: &SigningKeyRow) -> Option<u64> {
    row.expired_ms
        .map(|expired_ms| expired_ms.try_into().unwrap_or_default())
}
