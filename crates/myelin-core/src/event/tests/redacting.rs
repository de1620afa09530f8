//! What a redaction names, and what it leaves.

use super::*;

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
