//! What a server says about its keys: read, checked, judged.

use std::collections::BTreeMap;

use myelin_core::{event::PublicKeys, json};
use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, ServerName, serde::Base64, signatures::verify_json,
};

/// The most keys that a server is believed to have, old ones included.
const KEYS_MAX: usize = 200;
/// The longest key id.
pub(crate) const KEY_ID_BYTES_MAX: usize = 255;
/// How far into the future a key counts at most, whatever its server says: else who once gets hold
/// of a server could publish a key that its owner cannot take back.
const VALIDITY_MAX_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// A public key whose secret stood in an early version of Synapse. Anybody can sign with it.
const LEAKED: &str = "l/O9hxMVKB6Lg+3Hqf0FQQZhVESQcMzbPN1Cz2nM3og";

/// An answer to `GET /_matrix/key/v2/server` that the server has signed itself.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyAnswer {
    /// By key id.
    pub keys: BTreeMap<String, RemoteKey>,
    /// Until when the server wants the answer to count.
    pub valid_until_ms: u64,
    /// The answer, with the signatures of its server alone.
    pub object: CanonicalJsonObject,
}

/// A key of another server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteKey {
    /// 32 bytes.
    pub public_key: Vec<u8>,
    /// Signatures of a later time do not count.
    pub valid_until_ms: u64,
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyAnswerError {
    /// It is not a JSON object that can be signed, or lacks something.
    #[error("the answer is not what the specification says")]
    Malformed,
    /// It is about another server.
    #[error("the answer is about another server")]
    Server,
    /// It has too many keys.
    #[error("the answer has too many keys")]
    TooMany,
    /// None of the keys has signed it, or one that is named has not.
    #[error("the answer is not signed by the server's own key")]
    Signature,
}

impl KeyAnswer {
    /// Reads what a server says of itself.
    pub fn read(json: &[u8], server: &ServerName, now_ms: u64) -> Result<Self, KeyAnswerError> {
        let object = json::parse_object(json).map_err(|_| KeyAnswerError::Malformed)?;
        Self::of(object, server, now_ms)
    }

    /// As [`KeyAnswer::read`].
    pub fn of(
        object: CanonicalJsonObject,
        server: &ServerName,
        now_ms: u64,
    ) -> Result<Self, KeyAnswerError> {
        if object
            .get("server_name")
            .and_then(CanonicalJsonValue::as_str)
            != Some(server.as_str())
        {
            return Err(KeyAnswerError::Server);
        }
        let number = |value: &CanonicalJsonValue| {
            let number = value.as_integer().map(i64::from)?;
            u64::try_from(number).ok()
        };
        let valid_until_ms = object.get("valid_until_ts").and_then(number);
        let valid_until_ms = valid_until_ms.ok_or(KeyAnswerError::Malformed)?;
        let section = |name: &str| object.get(name).and_then(CanonicalJsonValue::as_object);
        let current = section("verify_keys").ok_or(KeyAnswerError::Malformed)?;
        let empty = CanonicalJsonObject::new();
        let old = section("old_verify_keys").unwrap_or(&empty);
        if current.len() + old.len() > KEYS_MAX {
            return Err(KeyAnswerError::TooMany);
        }
        let ends = valid_until_ms.min(now_ms.saturating_add(VALIDITY_MAX_MS));
        let mut keys = BTreeMap::new();
        for (id, value) in old {
            let expired = value.as_object().and_then(|key| key.get("expired_ts"));
            if let (Some(key), Some(expired)) = (public_key(id, value), expired.and_then(number)) {
                keys.insert(id.clone(), RemoteKey::new(key, expired));
            }
        }
        let mut current_keys = BTreeMap::new();
        for (id, value) in current {
            if let Some(key) = public_key(id, value) {
                current_keys.insert(id.clone(), Base64::new(key.clone()));
                keys.insert(id.clone(), RemoteKey::new(key, ends));
            }
        }
        let object = signed_only_by(object, server);
        if !is_signed_by(&object, server, current_keys) {
            return Err(KeyAnswerError::Signature);
        }
        Ok(Self {
            keys,
            valid_until_ms,
            object,
        })
    }
}

impl RemoteKey {
    fn new(public_key: Vec<u8>, valid_until_ms: u64) -> Self {
        Self {
            public_key,
            valid_until_ms,
        }
    }
}

/// Whether this is the key that anybody can sign with.
pub fn is_leaked(public_key: &[u8]) -> bool {
    Base64::<ruma::serde::base64::Standard, _>::new(public_key).encode() == LEAKED
}

/// Whether a server has signed the object with one of these keys, whoever else has signed it.
pub(crate) fn is_signed_by(
    object: &CanonicalJsonObject,
    server: &ServerName,
    keys: BTreeMap<String, Base64>,
) -> bool {
    let object = signed_only_by(object.clone(), server);
    let keys = PublicKeys::from([(server.to_string(), keys)]);
    let has_signatures = object
        .get("signatures")
        .and_then(CanonicalJsonValue::as_object)
        .is_some_and(|signatures| !signatures.is_empty());
    has_signatures && verify_json(&keys, &object).is_ok()
}

/// The object without the signatures of others.
fn signed_only_by(mut object: CanonicalJsonObject, server: &ServerName) -> CanonicalJsonObject {
    if let Some(CanonicalJsonValue::Object(signatures)) = object.get_mut("signatures") {
        signatures.retain(|signer, _| signer == server.as_str());
    }
    object
}

/// The key in an entry of `verify_keys` or `old_verify_keys`, if it is one that we can use.
fn public_key(id: &str, value: &CanonicalJsonValue) -> Option<Vec<u8>> {
    if !id.starts_with("ed25519:") || id.len() > KEY_ID_BYTES_MAX {
        return None;
    }
    let text = value.as_object()?.get("key")?.as_str()?;
    let key = Base64::<ruma::serde::base64::Standard>::parse(text).ok()?;
    let bytes = key.into_inner();
    (bytes.len() == 32 && !is_leaked(&bytes)).then_some(bytes)
}

#[cfg(test)]
mod tests;
