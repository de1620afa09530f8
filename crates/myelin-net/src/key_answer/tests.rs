use myelin_core::signing_key::SigningKey;
use ruma::server_name;
use serde_json::{Value, json};

use super::*;

const NOW_MS: u64 = 1_700_000_000_000;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed("a", [seed; 32])
}

fn said() -> Value {
    json!({
        "server_name": "a.example",
        "valid_until_ts": NOW_MS + DAY_MS,
        "verify_keys": {"ed25519:a": {"key": key(1).public_key_base64()}},
        "old_verify_keys": {
            "ed25519:old": {"key": key(2).public_key_base64(), "expired_ts": 1000},
        },
    })
}

fn signed(value: Value, signer: &SigningKey) -> Vec<u8> {
    let mut object: CanonicalJsonObject = serde_json::from_value(value).unwrap();
    let server = server_name!("a.example");
    signer.sign_object(server, &mut object).unwrap();
    serde_json::to_vec(&object).unwrap()
}

fn read(json: &[u8]) -> Result<KeyAnswer, KeyAnswerError> {
    KeyAnswer::read(json, server_name!("a.example"), NOW_MS)
}

#[test]
fn keys_and_old_keys_are_read() {
    let answer = read(&signed(said(), &key(1))).unwrap();
    assert_eq!(answer.valid_until_ms, NOW_MS + DAY_MS);
    let of = |id: &str| answer.keys[id].clone();
    let new = RemoteKey::new(key(1).public_key().to_vec(), NOW_MS + DAY_MS);
    assert_eq!(of("ed25519:a"), new);
    let old = RemoteKey::new(key(2).public_key().to_vec(), 1000);
    assert_eq!(of("ed25519:old"), old);
}

#[test]
fn a_key_counts_for_seven_days_at_most() {
    let mut value = said();
    value["valid_until_ts"] = json!(NOW_MS + 1000 * DAY_MS);
    let answer = read(&signed(value, &key(1))).unwrap();
    let ends = answer.keys["ed25519:a"].valid_until_ms;
    assert_eq!(ends, NOW_MS + 7 * DAY_MS);
}

#[test]
fn what_is_not_signed_by_the_server_s_own_key_is_refused() {
    // By another key under the same id, by an old key, by nobody.
    let old = SigningKey::from_seed("old", [2; 32]);
    for json in [
        signed(said(), &key(9)),
        signed(said(), &old),
        serde_json::to_vec(&said()).unwrap(),
    ] {
        assert_eq!(read(&json), Err(KeyAnswerError::Signature));
    }
    let mut tampered: Value = serde_json::from_slice(&signed(said(), &key(1))).unwrap();
    tampered["valid_until_ts"] = json!(NOW_MS + 2 * DAY_MS);
    let json = serde_json::to_vec(&tampered).unwrap();
    assert_eq!(read(&json), Err(KeyAnswerError::Signature));
}

#[test]
fn an_answer_about_another_server_is_refused() {
    let mut value = said();
    value["server_name"] = json!("b.example");
    assert_eq!(read(&signed(value, &key(1))), Err(KeyAnswerError::Server));
}

#[test]
fn malformed_answers_are_refused() {
    for key in ["valid_until_ts", "verify_keys"] {
        let mut value = said();
        value.as_object_mut().unwrap().remove(key);
        let json = serde_json::to_vec(&value).unwrap();
        assert_eq!(read(&json), Err(KeyAnswerError::Malformed), "{key}");
    }
    for text in ["", "[]", "{\"server_name\": 1.5}", "{\"a\":1,\"a\":2}"] {
        assert!(read(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn unusable_keys_are_left_out() {
    let mut value = said();
    value["verify_keys"]["ed448:x"] = json!({"key": "AAAA"});
    value["verify_keys"]["ed25519:short"] = json!({"key": "AAAA"});
    value["verify_keys"]["ed25519:text"] = json!("AAAA");
    value["old_verify_keys"]["ed25519:forever"] = json!({"key": key(3).public_key_base64()});
    let answer = read(&signed(value, &key(1))).unwrap();
    let ids: Vec<_> = answer.keys.keys().collect();
    assert_eq!(ids, ["ed25519:a", "ed25519:old"]);
}

/// Its secret stood in an early version of Synapse.
#[test]
fn the_key_that_everybody_knows_does_not_count() {
    let mut value = said();
    for section in ["verify_keys", "old_verify_keys"] {
        value[section]["ed25519:leaked"] = json!({
            "key": "l/O9hxMVKB6Lg+3Hqf0FQQZhVESQcMzbPN1Cz2nM3og=",
            "expired_ts": NOW_MS,
        });
    }
    let answer = read(&signed(value, &key(1))).unwrap();
    assert!(!answer.keys.contains_key("ed25519:leaked"));
}

#[test]
fn the_number_of_keys_is_limited() {
    let mut value = said();
    for number in 0..KEYS_MAX {
        value["old_verify_keys"][format!("ed25519:{number}")] = json!({});
    }
    assert_eq!(read(&signed(value, &key(1))), Err(KeyAnswerError::TooMany));
}

#[test]
fn signatures_of_others_do_not_disturb() {
    let mut object: CanonicalJsonObject = serde_json::from_slice(&signed(said(), &key(1))).unwrap();
    let notary = server_name!("notary.example");
    key(5).sign_object(notary, &mut object).unwrap();
    let keys = BTreeMap::from([(
        "ed25519:a".to_owned(),
        Base64::new(key(5).public_key().to_vec()),
    )]);
    assert!(is_signed_by(&object, notary, keys.clone()));
    assert!(!is_signed_by(&object, server_name!("c.example"), keys));
    let answer = read(&serde_json::to_vec(&object).unwrap()).unwrap();
    let signers = answer.object["signatures"].as_object().unwrap();
    assert!(signers.keys().eq(["a.example"]));
}
