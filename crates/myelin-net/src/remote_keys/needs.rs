//! Which keys an event needs.

use std::collections::HashMap;

use myelin_core::{
    event::{self, Event, POLICY_KEY_ID},
    signing_key::SigningKey,
};
use myelin_store::signing_keys::SigningKeyRow;
use ruma::{RoomVersionId, serde::Base64};
use serde::Deserialize;

use super::KeyNeed;
use crate::key_answer::KEY_ID_BYTES_MAX;

/// The most signatures of one server on one event that are looked at.
const SIGNATURES_MAX: usize = 10;

/// Every server that must have signed the event, with the ids of the keys that it used.
pub(super) fn of_event(event: &Event, version: &RoomVersionId) -> Vec<KeyNeed> {
    let Ok(servers) = event::required_servers(event, version) else {
        return Vec::new();
    };
    let at_ms = version
        .rules()
        .filter(|rules| rules.enforce_key_validity)
        .map(|_| event.origin_server_ts);
    let signatures = signatures_of(&event.json);
    let mut needs = Vec::new();
    for server in servers {
        let ids = signatures.get(server.as_str()).into_iter().flatten();
        for key_id in ids.take(SIGNATURES_MAX) {
            needs.push(KeyNeed {
                server: server.clone(),
                key_id: key_id.clone(),
                at_ms,
            });
        }
    }
    needs
}

/// Whether there can be a key of this id.
pub(super) fn is_usable(need: &KeyNeed) -> bool {
    need.key_id.starts_with("ed25519:") && need.key_id.len() <= KEY_ID_BYTES_MAX
}

/// Whether a key that ends then, or never, was valid when it must have been.
pub(super) fn is_valid_until(need: &KeyNeed, end_ms: Option<i64>) -> bool {
    match (need.at_ms, end_ms) {
        (Some(at_ms), Some(end_ms)) => i64::try_from(at_ms).is_ok_and(|at_ms| at_ms <= end_ms),
        _ => true,
    }
}

/// The public half of one of our own keys.
pub(super) fn public_key_of(row: &SigningKeyRow) -> Option<Base64> {
    let seed = row.seed[..].try_into().ok()?;
    let key = SigningKey::from_seed(&row.key_version, seed);
    Some(Base64::new(key.public_key().to_vec()))
}

fn signatures_of(json: &str) -> HashMap<String, Vec<String>> {
    #[derive(Deserialize)]
    struct Signed {
        signatures: HashMap<String, HashMap<String, String>>,
    }
    let Ok(signed) = serde_json::from_str::<Signed>(json) else {
        return HashMap::new();
    };
    let ids = |(server, keys): (String, HashMap<String, String>)| {
        // Rooms name the key of their policy server; its server does not tell it.
        let ids = keys.into_keys().filter(|id| id != POLICY_KEY_ID);
        let mut ids: Vec<_> = ids.collect();
        ids.sort();
        (server, ids)
    };
    signed.signatures.into_iter().map(ids).collect()
}
