//! The test vectors of the appendices, "Cryptographic Test Vectors".

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use ruma::{
    canonical_json::CanonicalJsonObject, room_version_rules::RoomVersionRules, serde::Base64,
    server_name, signatures::hash_and_sign_event,
};
use serde_json::{Value, json};

use super::SigningKey;
use crate::test_support::object;

fn key() -> SigningKey {
    // Its last character carries bits that a strict decoder refuses.
    let seed: Base64 = Base64::parse("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1").unwrap();
    SigningKey::from_seed("1", seed.into_inner().try_into().unwrap())
}

fn signature(object: &CanonicalJsonObject) -> Value {
    let object = serde_json::to_value(object).unwrap();
    object["signatures"]["domain"]["ed25519:1"].clone()
}

#[test]
fn json_is_signed_as_in_the_specification() {
    let table = [
        (
            json!({}),
            "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ",
        ),
        (
            json!({ "one": 1, "two": "Two" }),
            "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw",
        ),
    ];
    for (value, expected) in table {
        let mut object = object(value);
        key()
            .sign_object(server_name!("domain"), &mut object)
            .unwrap();
        assert_eq!(signature(&object), expected);
    }
}

#[test]
fn events_are_hashed_and_signed_as_in_the_specification() {
    let minimal = json!({
        "room_id": "!x:domain", "sender": "@a:domain", "origin": "domain",
        "origin_server_ts": 1_000_000, "signatures": {}, "hashes": {}, "type": "X", "content": {},
        "prev_events": [], "auth_events": [], "depth": 3, "unsigned": { "age_ts": 1_000_000 },
    });
    let redactable = json!({
        "content": { "body": "Here is the message content" }, "event_id": "$0:domain",
        "origin": "domain", "origin_server_ts": 1_000_000, "type": "m.room.message",
        "room_id": "!r:domain", "sender": "@u:domain", "signatures": {},
        "unsigned": { "age_ts": 1_000_000 },
    });
    let table = [
        (
            minimal,
            "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos",
            "KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg",
        ),
        (
            redactable,
            "onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g",
            "Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA",
        ),
    ];
    for (value, hash, expected) in table {
        let mut event = object(value);
        hash_and_sign_event(
            "domain",
            &key(),
            &mut event,
            &RoomVersionRules::V1.redaction,
        )
        .unwrap();
        let value = serde_json::to_value(&event).unwrap();
        assert_eq!(value["hashes"]["sha256"], hash);
        assert_eq!(signature(&event), expected);
    }
}

#[test]
fn the_key_names_itself() {
    assert_eq!((key().key_id(), key().version()), ("ed25519:1", "1"));
    assert_eq!(
        key().public_key_base64(),
        "XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI"
    );
    assert_eq!(
        format!("{:?}", key()),
        r#"SigningKey { key_id: "ed25519:1", .. }"#
    );
    let signature = STANDARD_NO_PAD.decode(key().sign_base64(b"x")).unwrap();
    assert_eq!(signature, key().sign(b"x"));
}
