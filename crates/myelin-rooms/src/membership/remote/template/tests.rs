//! Templates that lie (CVE-2026-24471): what is not what was asked for is not signed.

use ruma::{room_id, user_id};
use serde_json::{Value, json, value::to_raw_value};

use super::*;

fn wanted() -> Wanted<'static> {
    Wanted {
        room_id: room_id!("!room:there.example"),
        user: user_id!("@alice:localhost"),
        membership: Membership::Join,
    }
}

fn template() -> Value {
    json!({
        "type": "m.room.member",
        "room_id": "!room:there.example",
        "sender": "@alice:localhost",
        "state_key": "@alice:localhost",
        "content": {"membership": "join", "displayname": "Mallory", "x": {"y": 1}},
        "prev_events": ["$prev"],
        "auth_events": ["$create", "$levels"],
        "depth": 7,
        "redacts": "$everything",
        "unsigned": {"a": 1},
    })
}

fn read(template: &Value) -> Result<Template, TemplateError> {
    let raw = to_raw_value(template).expect("JSON is JSON");
    Template::read(Some(RoomVersionId::V11), &raw, &wanted())
}

#[test]
fn what_is_known_is_read_from_a_template_and_nothing_else() {
    let read = read(&template()).unwrap();
    let id = |id: &str| OwnedEventId::try_from(id).unwrap();
    let expected = Template {
        version: RoomVersionId::V11,
        prev_events: vec![id("$prev")],
        auth_events: vec![id("$create"), id("$levels")],
        depth: 7,
        authorised_via: None,
    };
    assert_eq!(read, expected);
}

#[test]
fn a_template_for_something_else_is_refused() {
    let table = [
        ("/type", json!("m.room.power_levels"), "type"),
        ("/type", json!(5), "type"),
        ("/room_id", json!("!other:there.example"), "room_id"),
        ("/sender", json!("@bob:localhost"), "sender"),
        ("/state_key", json!("@bob:localhost"), "state_key"),
        ("/state_key", Value::Null, "state_key"),
        ("/content/membership", json!("leave"), "content.membership"),
        ("/content", json!([]), "content.membership"),
    ];
    for (pointer, value, field) in table {
        let mut lie = template();
        *lie.pointer_mut(pointer).unwrap() = value;
        let refused = read(&lie).unwrap_err();
        assert!(
            matches!(refused, TemplateError::Other(other) if other == field),
            "{pointer}: {refused}"
        );
    }
}

#[test]
fn what_cannot_be_read_is_refused() {
    let table = [
        ("/depth", json!(-1)),
        ("/depth", json!("1")),
        ("/prev_events", json!("$prev")),
        ("/prev_events", json!(["no event id"])),
        ("/auth_events", json!([[]])),
        ("/auth_events", json!([{}])),
    ];
    for (pointer, value) in table {
        let mut lie = template();
        *lie.pointer_mut(pointer).unwrap() = value;
        let refused = read(&lie).unwrap_err();
        assert!(matches!(refused, TemplateError::Malformed(_)), "{pointer}");
    }
    let mut lie = template();
    lie["depth"] = json!(9_007_199_254_740_992_i64);
    assert!(matches!(read(&lie).unwrap_err(), TemplateError::Json(_)));
}

#[test]
fn room_versions_that_are_not_known_are_refused() {
    let raw = to_raw_value(&template()).unwrap();
    let version = RoomVersionId::try_from("org.example.unheard").unwrap();
    let refused = Template::read(Some(version), &raw, &wanted()).unwrap_err();
    assert!(matches!(refused, TemplateError::UnknownVersion(_)));
}

#[test]
fn the_first_room_versions_write_references_as_pairs() {
    let mut old = template();
    old["prev_events"] = json!([["$prev:there.example", {"sha256": "x"}]]);
    old["auth_events"] = json!([["$create:there.example", {}]]);
    let raw = to_raw_value(&old).unwrap();
    let read = Template::read(None, &raw, &wanted()).unwrap();
    assert_eq!(read.version, RoomVersionId::V1);
    assert_eq!(read.prev_events, ["$prev:there.example"]);
    assert_eq!(read.auth_events, ["$create:there.example"]);
}

#[test]
fn who_lets_a_user_in_must_be_a_user() {
    let mut restricted = template();
    restricted["content"][AUTHORISED_VIA] = json!("@carol:there.example");
    let via = read(&restricted).unwrap().authorised_via;
    assert_eq!(via.unwrap(), "@carol:there.example");
    restricted["content"][AUTHORISED_VIA] = json!("carol");
    assert!(matches!(
        read(&restricted).unwrap_err(),
        TemplateError::Malformed(_)
    ));
}
