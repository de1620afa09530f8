use std::collections::BTreeMap;

use ruma::{
    CanonicalJsonObject, OwnedEventId, RoomVersionId, event_id,
    serde::Base64,
    server_name,
    signatures::{hash_and_sign_event, reference_hash},
};
use serde_json::{Value, json};

use super::{
    Event, EventError, NewEvent, PublicKeys, Verified, add_signature, create, from_stored, parse,
    redact, required_servers, verify,
};
use crate::{
    json::{JsonError, parse_object, to_canonical},
    server::Server,
    test_support::{TestRoom, all_versions, creator, object, test_server, versions},
};

mod properties;

fn keys(server: &Server) -> PublicKeys {
    let key = Base64::new(server.key.public_key().to_vec());
    BTreeMap::from([(
        server.name.to_string(),
        BTreeMap::from([(server.key.key_id().to_owned(), key)]),
    )])
}

fn references(version: &RoomVersionId) -> Vec<OwnedEventId> {
    let has_server = version.rules().unwrap().event_format.require_event_id;
    if has_server {
        vec![
            event_id!("$one:x.org").to_owned(),
            event_id!("$two:y.org").to_owned(),
        ]
    } else {
        let id = event_id!("$acR1l0raoZnm60CBwAVgqbZqoO/mYU81xysh1u7XcJk");
        vec![
            id.to_owned(),
            event_id!("$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg").to_owned(),
        ]
    }
}

fn message(version: &RoomVersionId, content: Value) -> Event {
    let room = TestRoom::new(version);
    let refs = references(version);
    let new = NewEvent {
        room_id: Some(&room.room_id),
        sender: creator(),
        event_type: "m.room.message",
        state_key: None,
        content: object(content),
        redacts: None,
        sticky_ms: None,
        prev_events: &refs,
        auth_events: &refs[..1],
        depth: 12,
        origin_server_ts: 1_700_000_000_123,
    };
    create(new, version, &room.server).unwrap()
}

fn pdu(version: &RoomVersionId) -> CanonicalJsonObject {
    parse_object(message(version, json!({ "body": "hi" })).json.as_bytes()).unwrap()
}

fn parse_value(object: &CanonicalJsonObject, version: &RoomVersionId) -> Result<Event, EventError> {
    parse(to_canonical(object).as_bytes(), version)
}

#[test]
fn what_is_created_is_what_ruma_hashes_signs_and_names() {
    let server = test_server(server_name!("example.org"));
    for version in all_versions() {
        let rules = version.rules().unwrap();
        let room = TestRoom::new(&version);
        let state = [
            room.state("m.room.create", "").unwrap().clone(),
            room.unsigned_event(
                "m.room.member",
                Some(creator().as_str()),
                json!({ "membership": "join", "displayname": "\"C\"\n" }),
            ),
            message(
                &version,
                json!({ "body": "hi", "n": [1, null, { "a": true }] }),
            ),
        ];
        for event in state {
            let mut expected = parse_object(event.json.as_bytes()).unwrap();
            assert_eq!(to_canonical(&expected), *event.json, "{version}: canonical");
            expected.remove("hashes");
            expected.remove("signatures");
            hash_and_sign_event("example.org", &server.key, &mut expected, &rules.redaction)
                .unwrap();
            assert_eq!(
                to_canonical(&expected),
                *event.json,
                "{version}: hashes and signatures"
            );
            if !rules.event_format.require_event_id {
                let hash = reference_hash(&expected, &rules).unwrap();
                assert_eq!(event.event_id.as_str(), format!("${hash}"), "{version}");
            }
            assert_eq!(
                verify(&event, &version, &keys(&server)).unwrap(),
                Verified::All
            );
        }
    }
}

#[test]
fn created_parsed_and_stored_events_are_equal() {
    for version in all_versions() {
        let event = message(&version, json!({ "body": "hi" }));
        let parsed = parse(event.json.as_bytes(), &version).unwrap();
        let stored = from_stored(&event.json, event.event_id.clone(), &version).unwrap();
        for other in [parsed, stored] {
            assert_eq!(format!("{other:?}"), format!("{event:?}"), "{version}");
        }
    }
}

#[test]
fn event_ids_have_the_format_of_their_version() {
    for version in all_versions() {
        let id = message(&version, json!({})).event_id;
        match version.as_str() {
            "1" | "2" => assert!(id.as_str().ends_with(":example.org")),
            _ => {
                assert_eq!(id.as_str().len(), 44);
                let url_safe = !matches!(version.as_str(), "3");
                assert!(!url_safe || !id.as_str().contains(['/', '+']));
            }
        }
    }
}

#[test]
fn the_create_event_names_the_room_since_version_12() {
    for version in versions([11, 12]) {
        let room = TestRoom::new(&version);
        let create = room.state("m.room.create", "").unwrap();
        let derived = create.event_id.as_str().replace('$', "!");
        assert_eq!(
            create.room_id.as_str() == derived,
            version == RoomVersionId::V12
        );
        assert_eq!(
            create.json.contains("room_id"),
            version != RoomVersionId::V12
        );
        let parsed = parse(create.json.as_bytes(), &version).unwrap();
        assert_eq!(parsed.room_id, create.room_id);
        let stored = from_stored(&create.json, create.event_id.clone(), &version).unwrap();
        assert_eq!(stored.room_id, create.room_id);
    }
}

/// Rooms v12, "Event format": the create event is implied and not listed.
#[test]
fn the_create_event_is_not_an_auth_event_since_version_12() {
    let version = RoomVersionId::V12;
    let room = TestRoom::new(&version);
    let create_id = room.state("m.room.create", "").unwrap().event_id.clone();
    let mut pdu = pdu(&version);
    pdu.insert(
        "auth_events".to_owned(),
        vec![create_id.as_str().into()].into(),
    );
    let error = parse_value(&pdu, &version).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("key `auth_events` is not valid"),
        "{error}"
    );
}

fn redaction(version: &RoomVersionId) -> Event {
    let room = TestRoom::new(version);
    let new = NewEvent {
        room_id: Some(&room.room_id),
        sender: creator(),
        event_type: "m.room.redaction",
        state_key: None,
        content: object(json!({ "reason": "spam" })),
        redacts: Some(event_id!("$target:x.org")),
        sticky_ms: None,
        prev_events: &[],
        auth_events: &[],
        depth: 2,
        origin_server_ts: 1,
    };
    create(new, version, &room.server).unwrap()
}

#[test]
fn redacts_moved_into_the_content_in_version_11() {
    for version in all_versions() {
        let event = redaction(&version);
        let is_inside = matches!(version.as_str(), "11" | "12");
        assert_eq!(
            event.content.get().contains("$target:x.org"),
            is_inside,
            "{version}"
        );
        let stored = from_stored(&event.json, event.event_id.clone(), &version).unwrap();
        let parsed = parse(event.json.as_bytes(), &version).unwrap();
        for event in [&event, &stored, &parsed] {
            assert_eq!(
                event.redacts.as_deref(),
                Some(event_id!("$target:x.org")),
                "{version}"
            );
        }
    }
}

#[test]
fn a_redaction_of_nonsense_redacts_nothing() {
    for version in all_versions() {
        for nonsense in [json!("x"), json!(1), json!(null), json!({ "a": 1 })] {
            let mut pdu = parse_object(redaction(&version).json.as_bytes()).unwrap();
            let nonsense = ruma::CanonicalJsonValue::try_from(nonsense).unwrap();
            pdu.insert("redacts".to_owned(), nonsense.clone());
            let content = CanonicalJsonObject::from([("redacts".to_owned(), nonsense)]);
            pdu.insert("content".to_owned(), content.into());
            assert_eq!(parse_value(&pdu, &version).unwrap().redacts, None);
        }
    }
}

#[test]
fn a_changed_event_is_not_verified() {
    let server = test_server(server_name!("example.org"));
    for version in all_versions() {
        let event = message(&version, json!({ "body": "hi" }));
        let keys = keys(&server);

        let forged = parse(event.json.replace("\"hi\"", "\"ho\"").as_bytes(), &version).unwrap();
        assert_eq!(
            verify(&forged, &version, &keys).unwrap(),
            Verified::Signatures
        );

        let forged = parse(
            event
                .json
                .replace("\"depth\":12", "\"depth\":13")
                .as_bytes(),
            &version,
        )
        .unwrap();
        assert!(verify(&forged, &version, &keys).is_err());

        assert!(verify(&event, &version, &PublicKeys::new()).is_err());
        let required = required_servers(&event, &version).unwrap();
        assert_eq!(
            required.into_iter().collect::<Vec<_>>(),
            [server_name!("example.org")]
        );
    }
}

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
fn stickiness_is_hashed_and_goes_with_a_redaction() {
    for version in all_versions() {
        let room = TestRoom::new(&version);
        let refs = references(&version);
        let new = NewEvent {
            room_id: Some(&room.room_id),
            sender: creator(),
            event_type: "org.example.sticky",
            state_key: None,
            content: object(json!({ "body": "hi" })),
            redacts: None,
            sticky_ms: Some(300_000),
            prev_events: &refs,
            auth_events: &refs[..1],
            depth: 12,
            origin_server_ts: 1_700_000_000_123,
        };
        let event = create(new, &version, &room.server).unwrap();
        let written = parse_object(event.json.as_bytes()).unwrap();
        assert_eq!(to_canonical(&written), *event.json, "{version}: canonical");
        assert_eq!(crate::sticky::duration_ms(&event.json), Some(300_000));
        let again = parse_value(&written, &version).unwrap();
        let keys = keys(&room.server);
        assert_eq!(verify(&again, &version, &keys).unwrap(), Verified::All);
        let mut longer = written.clone();
        let sticky = object(json!({ "duration_ms": 1 }));
        longer.insert("msc4354_sticky".to_owned(), sticky.into());
        let changed = parse_value(&longer, &version).unwrap();
        let verified = verify(&changed, &version, &keys).unwrap();
        assert_eq!(verified, Verified::Signatures, "{version}: it is cut down");
        let pruned = redact(&event.json, &version).unwrap();
        assert_eq!(crate::sticky::duration_ms(&pruned), None);
    }
}

#[test]
fn what_cannot_be_created_is_named() {
    let version = RoomVersionId::V11;
    let room = TestRoom::new(&version);
    let new = |event_type, state_key, depth, ts| NewEvent {
        room_id: Some(&room.room_id),
        sender: creator(),
        event_type,
        state_key,
        content: CanonicalJsonObject::new(),
        redacts: None,
        sticky_ms: None,
        prev_events: &[],
        auth_events: &[],
        depth,
        origin_server_ts: ts,
    };
    let long = "a".repeat(256);
    let two_to_53 = 1 << 53;
    let table = [
        (
            new(&long, None, 1, 1),
            "key `type` is longer than 255 bytes",
        ),
        (
            new("t", Some(&long), 1, 1),
            "key `state_key` is longer than 255 bytes",
        ),
        (
            new("t", None, two_to_53, 1),
            "key `depth` must be an integer below 2^53",
        ),
        (
            new("t", None, 1, u64::MAX),
            "key `origin_server_ts` must be an integer below 2^53",
        ),
        (
            NewEvent {
                room_id: None,
                ..new("t", None, 1, 1)
            },
            "key `room_id` is missing",
        ),
        (
            NewEvent {
                room_id: None,
                ..new("m.room.create", None, 1, 1)
            },
            "key `room_id` is missing",
        ),
    ];
    for (new, expected) in table {
        let error = create(new, &version, &room.server).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let error = create(
        new("m.room.create", Some(""), 1, 1),
        &RoomVersionId::V12,
        &room.server,
    );
    assert!(
        error
            .unwrap_err()
            .to_string()
            .starts_with("key `room_id` is not valid")
    );
    let unknown = RoomVersionId::try_from("org.example.unknown").unwrap();
    let error = create(new("t", None, 1, 1), &unknown, &room.server).unwrap_err();
    assert_eq!(
        error.to_string(),
        "room version `org.example.unknown` is not known"
    );
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

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn redaction_keeps_what_the_specification_lists() {
    // Content before, the versions, content after.
    let power = json!({
        "ban": 1, "events": {}, "events_default": 2, "invite": 3, "kick": 4, "notifications": {},
        "redact": 5, "state_default": 6, "users": {}, "users_default": 7, "x": 1,
    });
    let mut power_after = power.clone();
    for key in ["notifications", "x"] {
        power_after.as_object_mut().unwrap().remove(key);
    }
    let mut power_after_until_10 = power_after.clone();
    power_after_until_10
        .as_object_mut()
        .unwrap()
        .remove("invite");
    let member = json!({
        "membership": "join", "displayname": "x", "join_authorised_via_users_server": "@a:x",
        "third_party_invite": { "display_name": "x", "signed": { "token": "t" } },
    });
    let create = json!({ "creator": "@a:x", "m.federate": true, "room_version": "1" });
    let rules = json!({ "join_rule": "restricted", "allow": [], "x": 1 });
    let table = [
        ("m.room.message", 1..=12, json!({ "body": "x" }), json!({})),
        (
            "m.room.create",
            1..=10,
            create.clone(),
            json!({ "creator": "@a:x" }),
        ),
        ("m.room.create", 11..=12, create.clone(), create),
        (
            "m.room.member",
            1..=8,
            member.clone(),
            json!({ "membership": "join" }),
        ),
        (
            "m.room.member",
            9..=10,
            member.clone(),
            json!({ "membership": "join", "join_authorised_via_users_server": "@a:x" }),
        ),
        (
            "m.room.member",
            11..=12,
            member,
            json!({
                "membership": "join", "join_authorised_via_users_server": "@a:x",
                "third_party_invite": { "signed": { "token": "t" } },
            }),
        ),
        (
            "m.room.join_rules",
            1..=7,
            rules.clone(),
            json!({ "join_rule": "restricted" }),
        ),
        (
            "m.room.join_rules",
            8..=12,
            rules,
            json!({ "join_rule": "restricted", "allow": [] }),
        ),
        (
            "m.room.power_levels",
            1..=10,
            power.clone(),
            power_after_until_10,
        ),
        ("m.room.power_levels", 11..=12, power, power_after),
        (
            "m.room.history_visibility",
            1..=12,
            json!({ "history_visibility": "shared", "x": 1 }),
            json!({ "history_visibility": "shared" }),
        ),
        (
            "m.room.redaction",
            1..=10,
            json!({ "redacts": "$a", "reason": "x" }),
            json!({}),
        ),
        (
            "m.room.redaction",
            11..=12,
            json!({ "redacts": "$a", "reason": "x" }),
            json!({ "redacts": "$a" }),
        ),
        (
            "m.room.aliases",
            1..=5,
            json!({ "aliases": [], "x": 1 }),
            json!({ "aliases": [] }),
        ),
        (
            "m.room.aliases",
            6..=12,
            json!({ "aliases": [], "x": 1 }),
            json!({}),
        ),
    ];
    for (event_type, range, before, after) in table {
        for version in versions(range) {
            let mut pdu = pdu(&version);
            pdu.insert("type".to_owned(), event_type.into());
            pdu.insert("content".to_owned(), object(before.clone()).into());
            let redacted = redact(&to_canonical(&pdu), &version).unwrap();
            let redacted: Value = serde_json::from_str(&redacted).unwrap();
            assert_eq!(
                redacted["content"], after,
                "{event_type} in version {version}"
            );
        }
    }
}

#[test]
fn redaction_keeps_the_listed_keys_of_the_event() {
    let always = [
        "auth_events",
        "content",
        "depth",
        "event_id",
        "hashes",
        "origin_server_ts",
        "prev_events",
        "room_id",
        "sender",
        "signatures",
        "state_key",
        "type",
    ];
    let until_10 = ["membership", "origin", "prev_state"];
    for version in all_versions() {
        let mut pdu = pdu(&version);
        for key in [
            "event_id",
            "state_key",
            "membership",
            "origin",
            "prev_state",
            "redacts",
            "x",
        ] {
            pdu.insert(key.to_owned(), "$x:y".into());
        }
        pdu.insert("unsigned".to_owned(), CanonicalJsonObject::new().into());
        let redacted = parse_object(redact(&to_canonical(&pdu), &version).unwrap().as_bytes());
        let kept: Vec<String> = redacted.unwrap().into_keys().collect();
        let mut expected: Vec<&str> = always.to_vec();
        if !matches!(version.as_str(), "11" | "12") {
            expected.extend(until_10);
        }
        expected.sort_unstable();
        assert_eq!(kept, expected, "{version}");
    }
}

#[test]
fn a_second_signature_stands_beside_the_first() {
    for version in all_versions() {
        let room = TestRoom::new(&version);
        let event = room.unsigned_event("m.room.topic", Some(""), json!({"topic": "x", "z": {}}));
        let other = test_server(server_name!("other.example"));
        let signed = add_signature(&event, &version, &other).unwrap();
        let again = parse(signed.json.as_bytes(), &version).unwrap();
        assert_eq!(again.event_id, event.event_id);
        let signatures = parse_object(signed.json.as_bytes()).unwrap();
        let signatures = signatures["signatures"].as_object().unwrap();
        let servers: Vec<&String> = signatures.keys().collect();
        assert_eq!(servers, ["example.org", "other.example"]);
        let mut keys = keys(&room.server);
        keys.extend(self::keys(&other));
        let verified = verify(&signed, &version, &keys);
        assert!(matches!(verified, Ok(Verified::All)), "{verified:?}");
        let redacted = redact(&signed.json, &version).unwrap();
        let redacted = parse_object(redacted.as_bytes()).unwrap();
        ruma::signatures::verify_json(&keys, &redacted).unwrap();
    }
}
