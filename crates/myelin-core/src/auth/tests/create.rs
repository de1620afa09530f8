//! Rule 1: the create event.

use ruma::{OwnedEventId, RoomVersionId, event_id, room_id};
use serde_json::{Value, json};

use super::{Allowed, End, Refused, expect};
use crate::{
    auth::{check, check_independent},
    event::{Event, NewEvent, create, parse},
    json::parse_object,
    test_support::{creator, object, test_server, versions},
};

fn create_event(version: &RoomVersionId, content: Value, prev_events: &[OwnedEventId]) -> Event {
    let has_room_id = version
        .rules()
        .unwrap()
        .event_format
        .require_room_create_room_id;
    let new = NewEvent {
        room_id: has_room_id.then_some(room_id!("!r:example.org")),
        sender: creator(),
        event_type: "m.room.create",
        state_key: Some(""),
        content: object(content),
        redacts: None,
        sticky_ms: None,
        prev_events,
        auth_events: &[],
        depth: 1,
        origin_server_ts: 1,
    };
    create(
        new,
        version,
        &test_server(ruma::server_name!("example.org")),
    )
    .unwrap()
}

fn check_create(event: &Event, version: &RoomVersionId, end: End, what: &str) {
    let what = format!("{what} in version {version}");
    expect(&check(version, event, |_, _| None), end, &what);
    expect(&check_independent(version, event, |_| None), end, &what);
}

#[test]
fn rule_1_1_no_prev_events() {
    for version in versions(1..=12) {
        let content = json!({ "creator": creator() });
        check_create(
            &create_event(&version, content.clone(), &[]),
            &version,
            Allowed,
            "1.1",
        );
        let prev = [event_id!("$some:example.org").to_owned()];
        let event = create_event(&version, content, &prev);
        check_create(
            &event,
            &version,
            Refused("cannot have previous events"),
            "1.1",
        );
    }
}

#[test]
fn rule_1_2_room_id_is_of_the_senders_domain_until_version_11() {
    for version in versions(1..=11) {
        let event = create_event(&version, json!({ "creator": creator() }), &[]);
        for (room_id, end) in [
            ("!r:example.org", Allowed),
            (
                "!r:evil.org",
                Refused("does not match sender's server name"),
            ),
            (
                "!r:example.org:8448",
                Refused("does not match sender's server name"),
            ),
            ("!r", Refused("could not parse server name")),
        ] {
            let mut pdu = parse_object(event.json.as_bytes()).unwrap();
            pdu.insert("room_id".to_owned(), room_id.into());
            let event = parse(crate::json::to_canonical(&pdu).as_bytes(), &version).unwrap();
            check_create(&event, &version, end, "1.2");
        }
    }
}

#[test]
fn rule_1_2_no_room_id_since_version_12() {
    let version = RoomVersionId::V12;
    let event = create_event(&version, json!({}), &[]);
    check_create(&event, &version, Allowed, "1.2");
    for room_id in ["!r:example.org", event.room_id.as_str()] {
        let mut pdu = parse_object(event.json.as_bytes()).unwrap();
        pdu.insert("room_id".to_owned(), room_id.into());
        let event = parse(crate::json::to_canonical(&pdu).as_bytes(), &version).unwrap();
        check_create(&event, &version, Refused("cannot have a `room_id`"), "1.2");
    }
}

#[test]
fn rule_1_3_room_version_is_recognised() {
    for version in versions(1..=12) {
        let table = [
            (json!(version.as_str()), Allowed),
            (
                json!("org.example.unknown"),
                Refused("not a recognised version"),
            ),
            (json!("13"), Refused("not a recognised version")),
            (json!(""), Refused("`room_version`")),
            (json!(11), Refused("invalid `room_version`")),
        ];
        for (room_version, end) in table {
            let content = json!({ "creator": creator(), "room_version": room_version });
            check_create(&create_event(&version, content, &[]), &version, end, "1.3");
        }
    }
}

#[test]
fn rule_1_4_there_is_a_creator_until_version_10() {
    for version in versions(1..=12) {
        let needs_creator = !matches!(version.as_str(), "11" | "12");
        let end = if needs_creator {
            Refused("missing `creator`")
        } else {
            Allowed
        };
        check_create(
            &create_event(&version, json!({}), &[]),
            &version,
            end,
            "1.4",
        );
    }
}

#[test]
fn rule_1_4_additional_creators_are_user_ids_since_version_12() {
    let table = [
        (json!([]), Allowed),
        (json!(["@a:x.org", "@b:y.org"]), Allowed),
        (json!("@a:x.org"), Refused("invalid `additional_creators`")),
        (json!(["a"]), Refused("invalid `additional_creators`")),
        (json!(["@a"]), Refused("invalid `additional_creators`")),
        (json!([1]), Refused("invalid `additional_creators`")),
        (json!({}), Refused("invalid `additional_creators`")),
    ];
    for (creators, end) in table {
        let content = json!({ "creator": creator(), "additional_creators": creators });
        let event = create_event(&RoomVersionId::V12, content.clone(), &[]);
        check_create(&event, &RoomVersionId::V12, end, "1.4");
        for version in versions(1..=11) {
            check_create(
                &create_event(&version, content.clone(), &[]),
                &version,
                Allowed,
                "1.4",
            );
        }
    }
}
