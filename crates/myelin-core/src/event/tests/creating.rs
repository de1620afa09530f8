//! What a created event is, and what cannot be created.

use super::*;

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
