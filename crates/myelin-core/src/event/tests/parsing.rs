//! What is taken for an event, and what of it is refused by name.

use super::*;

#[test]
fn unsigned_is_forgotten() {
    for version in all_versions() {
        let event = message(&version, json!({}));
        let mut pdu = parse_object(event.json.as_bytes()).unwrap();
        pdu.insert("unsigned".to_owned(), object(json!({ "age": 1 })).into());
        let parsed = parse_value(&pdu, &version).unwrap();
        assert_eq!((parsed.json, parsed.event_id), (event.json, event.event_id));
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_wrong_key_is_named() {
    let too_long = "a".repeat(256);
    let table = [
        ("type", json!(null), "key `type` must be a string"),
        (
            "type",
            json!(too_long),
            "key `type` is longer than 255 bytes",
        ),
        ("sender", json!(1), "key `sender` must be a string"),
        ("sender", json!("alice"), "key `sender` is not valid"),
        (
            "sender",
            json!(format!("@{too_long}:x")),
            "key `sender` is longer than 255 bytes",
        ),
        ("state_key", json!(1), "key `state_key` must be a string"),
        (
            "state_key",
            json!(too_long),
            "key `state_key` is longer than 255 bytes",
        ),
        ("room_id", json!([]), "key `room_id` must be a string"),
        ("room_id", json!("room"), "key `room_id` is not valid"),
        (
            "room_id",
            json!(format!("!{too_long}:x")),
            "key `room_id` is longer than 255 bytes",
        ),
        ("content", json!([]), "key `content` must be an object"),
        (
            "depth",
            json!(-1),
            "key `depth` must be an integer from 0 on",
        ),
        (
            "depth",
            json!("1"),
            "key `depth` must be an integer from 0 on",
        ),
        (
            "origin_server_ts",
            json!(-1),
            "key `origin_server_ts` must be an integer from 0 on",
        ),
        ("hashes", json!(1), "key `hashes` must be an object"),
        ("hashes", json!({}), "key `hashes.sha256` is missing"),
        (
            "hashes",
            json!({ "sha256": 1 }),
            "key `hashes.sha256` must be a string",
        ),
        ("signatures", json!(1), "key `signatures` must be an object"),
        (
            "signatures",
            json!({ "x": 1 }),
            "key `signatures` must be an object of objects",
        ),
        (
            "signatures",
            json!({ "x": { "k": 1 } }),
            "key `signatures` must be an object of objects",
        ),
        (
            "prev_events",
            json!({}),
            "key `prev_events` must be an array",
        ),
        (
            "prev_events",
            json!([1]),
            "key `prev_events` must be an array",
        ),
        ("prev_events", json!(["x"]), "key `prev_events`"),
        (
            "prev_events",
            json!(vec!["$a"; 21]),
            "key `prev_events` has more than 20 entries",
        ),
        (
            "auth_events",
            json!(vec!["$a"; 11]),
            "key `auth_events` has more than 10 entries",
        ),
        (
            "auth_events",
            json!([["$a"]]),
            "key `auth_events` must be an array",
        ),
    ];
    for version in all_versions() {
        for (key, value, expected) in &table {
            let mut pdu = pdu(&version);
            pdu.insert((*key).to_owned(), value.clone().try_into().unwrap());
            let error = parse_value(&pdu, &version).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{version} {key}: {error}");
        }
    }
}

#[test]
fn every_missing_key_is_named() {
    let keys = [
        "auth_events",
        "content",
        "depth",
        "hashes",
        "origin_server_ts",
        "prev_events",
        "room_id",
        "sender",
        "signatures",
        "type",
    ];
    for version in all_versions() {
        for key in keys {
            let mut pdu = pdu(&version);
            pdu.remove(key).unwrap();
            let error = parse_value(&pdu, &version).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("key `{key}` is missing"),
                "{version}"
            );
        }
        let mut pdu = pdu(&version);
        pdu.remove("event_id");
        let has_event_id = matches!(version.as_str(), "1" | "2");
        assert_eq!(parse_value(&pdu, &version).is_err(), has_event_id);
    }
}

#[test]
fn references_have_the_format_of_their_version() {
    let pairs = json!([["$a:x.org", { "sha256": "abc" }]]);
    let plain = json!(["$a:x.org"]);
    for version in all_versions() {
        let has_pairs = matches!(version.as_str(), "1" | "2");
        for (value, is_right) in [(&pairs, has_pairs), (&plain, !has_pairs)] {
            let mut pdu = pdu(&version);
            pdu.insert("prev_events".to_owned(), value.clone().try_into().unwrap());
            assert_eq!(
                parse_value(&pdu, &version).is_ok(),
                is_right,
                "{version} {value}"
            );
        }
    }
}

#[test]
fn an_event_has_at_most_65535_bytes() {
    for version in all_versions() {
        let room = TestRoom::new(&version);
        let size = |body: usize| {
            let new = NewEvent {
                room_id: Some(&room.room_id),
                sender: creator(),
                event_type: "m.room.message",
                state_key: None,
                content: object(json!({ "body": "a".repeat(body) })),
                redacts: None,
                sticky_ms: None,
                prev_events: &[],
                auth_events: &[],
                depth: 1,
                origin_server_ts: 1,
            };
            create(new, &version, &room.server).map(|event| event.json.len())
        };
        let overhead = size(0).unwrap();
        assert_eq!(size(65_535 - overhead).unwrap(), 65_535);
        assert!(matches!(
            size(65_536 - overhead),
            Err(EventError::TooLarge { bytes: 65_536 })
        ));

        let mut pdu = pdu(&version);
        pdu.insert(
            "unsigned".to_owned(),
            object(json!({ "x": "a".repeat(65_535) })).into(),
        );
        assert!(matches!(
            parse_value(&pdu, &version),
            Err(EventError::TooLarge { .. })
        ));
    }
}

#[test]
fn hostile_json_is_refused_by_name() {
    let version = RoomVersionId::V11;
    let valid = message(&version, json!({ "body": "hi" })).json;
    let table = [
        ("\"hi\"", "0.5", "`content.body` is not an integer"),
        (
            "\"hi\"",
            "9007199254740992",
            "`content.body` is out of range",
        ),
        ("\"hi\"", "1,\"body\":2", "key `content.body` occurs twice"),
        (
            "\"depth\":12",
            "\"depth\":12,\"depth\":12",
            "key `depth` occurs twice",
        ),
        (
            "\"depth\":12",
            "\"depth\":1e400",
            "not JSON: number out of range",
        ),
        ("\"hi\"", "\"\\ud800\"", "not JSON: "),
    ];
    for (from, to, expected) in table {
        let json = valid.replace(from, to);
        let error = parse(json.as_bytes(), &version).unwrap_err().to_string();
        assert!(
            error.starts_with(expected) || error.starts_with(&format!("{expected}: ")),
            "{error}"
        );
    }
    let deep = valid.replace(
        "\"hi\"",
        &format!("{}{}", "[".repeat(5000), "]".repeat(5000)),
    );
    assert!(matches!(
        parse(deep.as_bytes(), &version),
        Err(EventError::Json(JsonError::TooDeep { .. }))
    ));
}

#[test]
fn nul_characters_and_escapes_pass_unharmed() {
    for version in all_versions() {
        let event = message(&version, json!({ "\u{0}": "\u{0}\u{1f600}\u{2028}" }));
        let parsed = parse(event.json.as_bytes(), &version).unwrap();
        assert_eq!(parsed.event_id, event.event_id);
    }
}
