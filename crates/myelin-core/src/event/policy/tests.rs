use ruma::{RoomVersionId, server_name};
use serde_json::{Value, json};

use super::{POLICY, POLICY_KEY_ID, PolicyServer, is_exempt_from_policy};
use crate::{
    event::{Event, EventError, add_signature, parse, redact, signing_keys},
    json::{parse_object, to_canonical},
    signing_key::SigningKey,
    test_support::{TestRoom, all_versions, test_server},
};

fn key() -> SigningKey {
    SigningKey::from_seed("policy_server", [9; 32])
}

fn policy_server() -> PolicyServer {
    named(&key().public_key_base64())
}

fn named(key: &str) -> PolicyServer {
    PolicyServer::new(server_name!("policy.example").to_owned(), key)
}

/// What an honest policy server says.
fn signature(event: &Event, version: &RoomVersionId) -> String {
    let redacted = redact(&event.json, version).unwrap();
    let mut signed = parse_object(redacted.as_bytes()).unwrap();
    signed.remove("signatures");
    key().sign_base64(to_canonical(&signed).as_bytes())
}

#[test]
fn the_event_names_a_policy_server_whole_or_not_at_all() {
    let room = TestRoom::new(&RoomVersionId::V11);
    let of = |content| {
        let event = room.unsigned_event(POLICY, Some(""), content);
        PolicyServer::of_event(&event)
    };
    let key = key().public_key_base64();
    let keys = json!({"ed25519": key, "other": "y"});
    let whole = json!({"via": "policy.example", "public_keys": keys, "z": 1});
    assert_eq!(of(whole), Some(policy_server()));
    let without_key = json!({"via": "policy.example", "public_keys": {"ed25519": "x"}});
    assert_eq!(of(without_key), Some(named("no key")));
    for content in [
        json!({}),
        json!({"via": "p.example"}),
        json!({"via": "p.example", "public_keys": {}}),
        json!({"via": "p.example", "public_keys": {"ed25519": 1}}),
        json!({"via": "p.example", "public_keys": ["ed25519"]}),
        json!({"via": "p.example", "public_key": "x"}),
        json!({"via": "not a server", "public_keys": {"ed25519": "x"}}),
        json!({"via": null, "public_keys": {"ed25519": "x"}}),
    ] {
        assert_eq!(of(content.clone()), None, "{content}");
    }
}

#[test]
fn a_signature_holds_for_what_was_signed_alone() {
    for version in all_versions() {
        let room = TestRoom::new(&version);
        let policy = policy_server();
        let event = room.unsigned_event("m.room.topic", Some(""), json!({"topic": "x"}));
        let other = room.unsigned_event("m.room.name", Some(""), json!({"name": "x"}));
        assert!(!policy.has_signed(&event, &version).unwrap(), "{version}");
        let signed = policy.with_signature(&event, &signature(&event, &version));
        let signed = signed.unwrap();
        assert!(policy.has_signed(&signed, &version).unwrap(), "{version}");
        assert_eq!(signed.event_id, event.event_id);
        let again = parse(signed.json.as_bytes(), &version).unwrap();
        assert_eq!(again.event_id, event.event_id);
        // What a redaction leaves is covered, too.
        let redacted = redact(&signed.json, &version).unwrap();
        let redacted = parse(redacted.as_bytes(), &version).unwrap();
        assert!(policy.has_signed(&redacted, &version).unwrap(), "{version}");

        let wrong = policy.with_signature(&event, &signature(&other, &version));
        let wrong = wrong.unwrap();
        assert!(!policy.has_signed(&wrong, &version).unwrap(), "{version}");
        let other = SigningKey::from_seed("policy_server", [8; 32]);
        let renewed = named(&other.public_key_base64());
        assert!(!renewed.has_signed(&signed, &version).unwrap(), "{version}");
    }
}

#[test]
fn keys_are_read_in_both_alphabets_and_nonsense_signs_nothing() {
    let version = RoomVersionId::V11;
    let room = TestRoom::new(&version);
    let event = room.unsigned_event("m.room.topic", Some(""), json!({"topic": "x"}));
    let policy = policy_server();
    let signed = policy.with_signature(&event, &signature(&event, &version));
    let signed = signed.unwrap();
    let key = key().public_key_base64();
    for (key, holds) in [
        (key.replace('+', "-").replace('/', "_"), true),
        (format!("{key}="), true),
        (key[1..].to_owned(), false),
        (format!("{key}AAAA"), false),
        (String::new(), false),
        ("no key at all".to_owned(), false),
    ] {
        let has_signed = named(&key).has_signed(&signed, &version).unwrap();
        assert_eq!(has_signed, holds, "{key}");
    }
}

#[test]
fn other_signatures_stay() {
    let version = RoomVersionId::V11;
    let room = TestRoom::new(&version);
    let event = room.unsigned_event("m.room.topic", Some(""), json!({"topic": "x"}));
    let host = test_server(server_name!("policy.example"));
    let policy = policy_server();
    let signature = signature(&event, &version);
    let by_host = add_signature(&event, &version, &host).unwrap();
    let one = policy.with_signature(&by_host, &signature).unwrap();
    let by_policy = policy.with_signature(&event, &signature).unwrap();
    let other = add_signature(&by_policy, &version, &host).unwrap();
    assert_eq!(one.json, other.json);
    assert!(policy.has_signed(&one, &version).unwrap());
    let keys = signing_keys(&one);
    assert_eq!(
        keys["policy.example"],
        ["ed25519:1"],
        "the room names the other"
    );
    assert!(keys.contains_key("example.org"));
}

#[test]
fn the_signature_is_found_where_it_belongs() {
    let of = |answer: &Value| policy_server().signature_in(answer).map(ToOwned::to_owned);
    let whole = json!({"policy.example": {POLICY_KEY_ID: "x", "y": 1}, "other.example": 1});
    assert_eq!(of(&whole).as_deref(), Some("x"));
    for answer in [
        json!({}),
        json!(null),
        json!({"other.example": {POLICY_KEY_ID: "x"}}),
        json!({"policy.example": {"ed25519:1": "x"}}),
        json!({"policy.example": {POLICY_KEY_ID: 1}}),
    ] {
        assert_eq!(of(&answer), None, "{answer}");
    }
}

#[test]
fn a_signature_that_makes_the_event_too_large_is_refused() {
    let room = TestRoom::new(&RoomVersionId::V11);
    let event = room.unsigned_event("m.room.topic", Some(""), json!({"topic": "x"}));
    let signed = policy_server().with_signature(&event, &"x".repeat(65_535));
    let error = signed.unwrap_err();
    assert!(matches!(error, EventError::TooLarge { .. }), "{error}");
}

#[test]
fn only_the_state_event_itself_is_exempt() {
    assert!(is_exempt_from_policy("m.room.policy", Some("")));
    assert!(!is_exempt_from_policy("m.room.policy", Some("x")));
    assert!(!is_exempt_from_policy("m.room.policy", None));
    assert!(!is_exempt_from_policy("m.room.power_levels", Some("")));
}
