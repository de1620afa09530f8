//! Invitations to an address: by which key of the identity server one is signed for a user.

use std::collections::BTreeMap;

use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, SigningKeyAlgorithm,
    signatures::verify_canonical_json_bytes,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{foreign_base64::decode, json::to_canonical};

/// Keys of an invitation that are looked at.
const KEYS_MAX: usize = 10;
/// Signatures that are looked at.
const SIGNATURES_MAX: usize = 10;

/// A key of an identity server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct IdentityKey {
    /// Its public half.
    pub public_key: String,
    /// Where to ask whether it is still valid; None: it always is.
    #[serde(default)]
    pub key_validity_url: Option<String>,
}

#[derive(Deserialize)]
struct Pending {
    #[serde(default)]
    public_key: Option<String>,
    #[serde(default)]
    key_validity_url: Option<String>,
    #[serde(default)]
    public_keys: Vec<IdentityKey>,
}

/// Those keys of an `m.room.third_party_invite` that have signed an object. Whether one must have,
/// the authorisation rules ask.
pub fn signing_keys(pending: &RawValue, signed: &CanonicalJsonObject) -> Vec<IdentityKey> {
    let Ok(pending) = serde_json::from_str::<Pending>(pending.get()) else {
        return Vec::new();
    };
    let first = pending.public_key.map(|public_key| IdentityKey {
        public_key,
        key_validity_url: pending.key_validity_url,
    });
    let mut object = signed.clone();
    object.remove("unsigned");
    let signatures = signatures(object.remove("signatures"));
    let message = to_canonical(&object);
    let has_signed = |key: &IdentityKey| {
        let Some(key) = decode(&key.public_key) else {
            return false;
        };
        let algorithm = SigningKeyAlgorithm::Ed25519;
        let holds = |signature: &Vec<u8>| {
            let message = message.as_bytes();
            verify_canonical_json_bytes(&algorithm, &key, signature, message).is_ok()
        };
        signatures.iter().any(holds)
    };
    let keys = first.into_iter().chain(pending.public_keys);
    keys.take(KEYS_MAX).filter(has_signed).collect()
}

fn signatures(found: Option<CanonicalJsonValue>) -> Vec<Vec<u8>> {
    let by_server = match found {
        Some(CanonicalJsonValue::Object(by_server)) => by_server,
        _ => BTreeMap::new(),
    };
    let by_key = by_server.values().filter_map(CanonicalJsonValue::as_object);
    by_key
        .flat_map(|by_key| by_key.values())
        .filter_map(|signature| decode(signature.as_str()?))
        .take(SIGNATURES_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json, value::to_raw_value};

    use super::*;
    use crate::{signing_key::SigningKey, test_support::object};

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed("1", [seed; 32])
    }

    fn signed(keys: &[&SigningKey]) -> CanonicalJsonObject {
        let mut signed = json!({"mxid": "@bob:example.org", "token": "t"});
        let text = signed.to_string();
        for (number, key) in keys.iter().enumerate() {
            let signature = key.sign_base64(text.as_bytes());
            signed["signatures"][format!("id{number}.example")] = json!({"ed25519:1": signature});
        }
        object(signed)
    }

    fn found(pending: &Value, signed: &CanonicalJsonObject) -> Vec<(String, Option<String>)> {
        let pending = to_raw_value(pending).unwrap();
        let keys = signing_keys(&pending, signed).into_iter();
        keys.map(|key| (key.public_key, key.key_validity_url))
            .collect()
    }

    #[test]
    fn those_that_have_signed_are_found_with_their_addresses() {
        let (one, two) = (key(1).public_key_base64(), key(2).public_key_base64());
        let pending = json!({
            "public_key": one,
            "key_validity_url": "https://id.example/one",
            "public_keys": [
                {"public_key": two},
                {"public_key": one, "key_validity_url": "https://id.example/again"},
            ],
        });
        let first = (one.clone(), Some("https://id.example/one".to_owned()));
        let again = (one, Some("https://id.example/again".to_owned()));
        let second = (two, None);
        assert_eq!(
            found(&pending, &signed(&[&key(1)])),
            [first.clone(), again.clone()]
        );
        assert_eq!(
            found(&pending, &signed(&[&key(2)])),
            std::slice::from_ref(&second)
        );
        assert_eq!(
            found(&pending, &signed(&[&key(2), &key(1)])),
            [first, second, again]
        );
        assert_eq!(found(&pending, &signed(&[&key(3)])), []);
        assert_eq!(found(&pending, &signed(&[])), []);
    }

    #[test]
    fn nonsense_has_signed_nothing() {
        let signed = signed(&[&key(1)]);
        for pending in [
            json!({}),
            json!({"public_key": 1}),
            json!({"public_key": "no key"}),
            json!({"public_keys": "x"}),
            json!({"public_keys": [{"key_validity_url": "x"}]}),
        ] {
            assert_eq!(found(&pending, &signed), [], "{pending}");
        }
        let one = json!({"public_key": key(1).public_key_base64()});
        for signatures in [
            json!("x"),
            json!({"id": 1}),
            json!({"id": {"ed25519:1": 1}}),
        ] {
            let mut odd = signed.clone();
            odd.insert("signatures".to_owned(), signatures.try_into().unwrap());
            assert_eq!(found(&one, &odd), []);
        }
    }
}
