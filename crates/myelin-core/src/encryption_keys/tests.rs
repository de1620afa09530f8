use serde_json::json;

use super::*;
use crate::signing_key::SigningKey;

fn object_of(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        other => panic!("no object: {other}"),
    }
}

fn device_keys() -> Value {
    json!({
        "user_id": "@a:x",
        "device_id": "D",
        "algorithms": ["m.olm.v1.curve25519-aes-sha2"],
        "keys": {"curve25519:D": "abc", "ed25519:D": "def"},
        "signatures": {"@a:x": {"ed25519:D": "sig"}},
    })
}

/// The object with one key changed, or removed by null.
fn with(mut value: Value, key: &str, to: Value) -> Object {
    if to.is_null() {
        value.as_object_mut().unwrap().remove(key);
    } else {
        value[key] = to;
    }
    object_of(value)
}

#[test]
fn device_keys_have_a_form() {
    let check = |key, to| check_device_keys(&with(device_keys(), key, to), "@a:x", "D");
    assert_eq!(check("org.example.more", json!({"a": [1]})), Ok(()));
    assert_eq!(check("user_id", json!("@b:x")), Err(KeyError::WrongUser));
    assert_eq!(check("device_id", json!("E")), Err(KeyError::WrongDevice));
    for (key, to) in [
        ("user_id", json!(null)),
        ("user_id", json!(1)),
        ("device_id", json!(null)),
        ("algorithms", json!(null)),
        ("algorithms", json!("m.olm")),
        ("algorithms", json!([1])),
        ("keys", json!(null)),
        ("keys", json!({})),
        ("keys", json!(["ed25519:D"])),
        ("keys", json!({"ed25519:E": "def"})),
        ("keys", json!({"ed25519": "def"})),
        ("keys", json!({":D": "def"})),
        ("keys", json!({"ed25519:D": 1})),
        ("signatures", json!(null)),
        ("signatures", json!([])),
        ("signatures", json!({"@a:x": "sig"})),
        ("signatures", json!({"nobody": {}})),
        ("signatures", json!({"@a:x": {"ed25519:D": {}}})),
    ] {
        let name = match check(key, to.clone()) {
            Err(KeyError::Malformed(name)) => name,
            other => panic!("{key} {to}: {other:?}"),
        };
        assert_eq!(name, key);
    }
    assert_eq!(check("half", json!(0.5)), Err(KeyError::NotCanonical));
    let long = json!("x".repeat(70_000));
    assert_eq!(check("long", long), Err(KeyError::TooLarge));
}

#[test]
fn one_time_keys_have_a_form() {
    let signed = json!({"key": "abc", "signatures": {"@a:x": {"ed25519:D": "sig"}}});
    let parts = check_one_time_key("signed_curve25519:AAA:B", &signed);
    assert_eq!(parts, Ok(("signed_curve25519", "AAA:B")));
    let plain = check_one_time_key("curve25519:AAA", &json!("abc"));
    assert_eq!(plain, Ok(("curve25519", "AAA")));
    for name in ["AAA", ":AAA", "curve25519:", "", "a\0:b"] {
        assert_eq!(check_one_time_key(name, &signed), Err(KeyError::WrongName));
    }
    for key in [
        json!("abc"),
        json!(null),
        json!([]),
        json!({"key": "abc"}),
        json!({"key": 1, "signatures": {}}),
        json!({"key": "abc", "signatures": {"@a:x": []}}),
        json!({"key": "abc", "signatures": {}, "fallback": "yes"}),
    ] {
        let checked = check_one_time_key("signed_curve25519:A", &key);
        assert!(matches!(checked, Err(KeyError::Malformed(_))), "{key}");
    }
}

#[test]
fn cross_signing_keys_have_a_form() {
    let public = SigningKey::from_seed("1", [7; 32]).public_key_base64();
    let name = format!("ed25519:{public}");
    let key = json!({"user_id": "@a:x", "usage": ["master"], "keys": {&name: &public}});
    let check = |field, to: Value| {
        let key = with(key.clone(), field, to);
        check_cross_signing_key(&key, "@a:x", Usage::Master).map(str::to_owned)
    };
    assert_eq!(check("more", json!(1)), Ok(public.clone()));
    assert_eq!(check("user_id", json!("@b:x")), Err(KeyError::WrongUser));
    for (field, to) in [
        ("usage", json!(["self_signing"])),
        ("usage", json!("master")),
        ("usage", json!(["master", 1])),
        ("keys", json!({})),
        ("keys", json!({"ed25519:other": &public})),
        ("keys", json!({&name: &public, "ed25519:b": "b"})),
        ("keys", json!({"ed25519:abc": "abc"})),
        ("signatures", json!({"@a:x": 1})),
    ] {
        assert_eq!(check(field, to), Err(KeyError::Malformed(field)));
    }
}

#[test]
fn signatures_hold_for_what_was_signed() {
    let signer = SigningKey::from_seed("1", [7; 32]);
    let mut object = object_of(json!({"b": 1, "a": "\u{e4}", "unsigned": {"x": 1}}));
    let signature = signer.sign_base64("{\"a\":\"\u{e4}\",\"b\":1}".as_bytes());
    let public = signer.public_key_base64();
    assert!(is_signature(&object, &public, &signature));
    assert!(is_signature(&object, &public, &format!("{signature}==")));
    add_signature(&mut object, "@a:x", "ed25519:1", &signature);
    assert!(is_signature(&object, &public, &signature));
    let found: Vec<_> = signatures_of(&object, "@a:x").collect();
    assert_eq!(found, [("ed25519:1", signature.as_str())]);
    let other = SigningKey::from_seed("1", [8; 32]).public_key_base64();
    for (key, signature) in [
        (other.as_str(), signature.as_str()),
        (&public, "AAAA"),
        (&public, "no base64!"),
        ("no base64!", &signature),
    ] {
        assert!(!is_signature(&object, key, signature));
    }
    object.insert("b".to_owned(), json!(2));
    assert!(!is_signature(&object, &public, &signature));
}
