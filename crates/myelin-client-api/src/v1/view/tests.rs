//! The guide's samples, made from the events that a room has today.

use myelin_sync::Direction;
use serde_json::{Value, json};

use super::{Object, RoomView, is_hidden, is_virtual, text};

const TS: i64 = 1_409_665_585_188;

fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

/// An event as today's API gives it.
fn event(event_type: &str, state_key: Option<&str>, content: Value) -> Object {
    let mut event = object(json!({
        "event_id": format!("${event_type}"),
        "origin_server_ts": TS,
        "room_id": "!MkDbyRqnvTYnoxjLYx:localhost",
        "sender": "@example:localhost",
        "type": event_type,
        "unsigned": {"age": 5},
    }));
    event.insert("content".to_owned(), content);
    if let Some(state_key) = state_key {
        event.insert("state_key".to_owned(), state_key.into());
    }
    event
}

fn create() -> Object {
    event("m.room.create", Some(""), json!({"room_version": "11"}))
}

/// The levels of a room made through the API of 2014.
fn levels() -> Object {
    let content = json!({
        "users": {"@example:localhost": 10},
        "users_default": 0,
        "events": {"m.room.name": 5, "m.room.topic": 5},
        "events_default": 0,
        "state_default": 10,
        "ban": 5, "kick": 5, "redact": 5, "invite": 0,
    });
    event("m.room.power_levels", Some(""), content)
}

fn with_previous(mut event: Object, content: Value) -> Object {
    event["unsigned"]["prev_content"] = content;
    event["unsigned"]["replaces_state"] = "$before".into();
    event
}

fn view() -> RoomView {
    RoomView::new(Some(&create()), Some(&levels()))
}

fn types(events: &[Object]) -> Vec<&str> {
    events.iter().map(|event| text(event, "type")).collect()
}

/// Asserts that all that the guide shows is there, with these very values.
#[track_caller]
fn assert_shows(event: &Object, sample: Value) {
    for (key, value) in object(sample) {
        assert_eq!(event.get(&key), Some(&value), "`{key}` of {event:?}");
    }
}

#[test]
fn a_message_has_its_keys_of_2014_beside_those_of_today() {
    let message = event(
        "m.room.message",
        None,
        json!({"msgtype": "m.text", "body": "hello"}),
    );
    let shown = view().event(message.clone());
    assert_shows(
        &shown,
        json!({
            "content": {"body": "hello", "hsob_ts": TS, "msgtype": "m.text"},
            "room_id": "!MkDbyRqnvTYnoxjLYx:localhost",
            "ts": TS,
            "type": "m.room.message",
            "user_id": "@example:localhost",
            "age": 5,
        }),
    );
    assert!(!shown.contains_key("state_key") && !shown.contains_key("required_power_level"));
    for (key, value) in message.iter().filter(|(key, _)| *key != "content") {
        assert_eq!(shown.get(key), Some(value), "today's `{key}` stays");
    }
}

#[test]
fn the_guide_s_state_comes_out_literally() {
    let members = [
        event(
            "m.room.member",
            Some("@example:localhost"),
            json!({"membership": "join"}),
        ),
        event(
            "m.room.member",
            Some("@myfriend:localhost"),
            json!({"membership": "invite"}),
        ),
    ];
    let [own, friend] = members;
    let rules = event(
        "m.room.join_rules",
        Some(""),
        json!({"join_rule": "public"}),
    );
    let state = view().state(vec![create(), own, levels(), rules, friend]);
    let wanted = [
        json!({"type": "m.room.create", "required_power_level": 10, "state_key": "", "ts": TS,
               "content": {"creator": "@example:localhost", "room_version": "11"}}),
        json!({"type": "m.room.power_levels", "required_power_level": 10, "state_key": "",
               "content": {"@example:localhost": 10, "default": 0}}),
        json!({"type": "m.room.join_rules", "required_power_level": 10, "content": {"join_rule": "public"}}),
        json!({"type": "m.room.add_state_level", "required_power_level": 10, "state_key": "",
               "content": {"level": 10}, "ts": TS, "user_id": "@example:localhost",
               "room_id": "!MkDbyRqnvTYnoxjLYx:localhost", "event_id": "$m.room.power_levels~add"}),
        json!({"type": "m.room.send_event_level", "required_power_level": 10, "content": {"level": 0},
               "event_id": "$m.room.power_levels~send"}),
        json!({"type": "m.room.ops_levels", "required_power_level": 10,
               "content": {"ban_level": 5, "kick_level": 5, "redact_level": 5},
               "event_id": "$m.room.power_levels~ops"}),
        json!({"type": "m.room.member", "membership": "join", "state_key": "@example:localhost",
               "content": {"avatar_url": null, "displayname": null, "membership": "join"}}),
        json!({"type": "m.room.member", "membership": "invite", "state_key": "@myfriend:localhost",
               "content": {"membership": "invite"}}),
    ];
    assert_eq!(state.len(), wanted.len(), "{:?}", types(&state));
    for (event, sample) in state.iter().zip(wanted) {
        assert_shows(event, sample);
    }
    assert!(
        !state[6].contains_key("required_power_level"),
        "members had none"
    );
}

#[test]
fn levels_for_single_types_and_bans_are_told() {
    let name = view().event(event("m.room.name", Some(""), json!({"name": "Tea"})));
    assert_eq!(name["required_power_level"], 5);
    let ban = view().event(event(
        "m.room.member",
        Some("@bob:localhost"),
        json!({"membership": "ban"}),
    ));
    assert_eq!(ban["required_power_level"], 5);
}

#[test]
fn what_was_before_is_lifted_and_viewed() {
    let join = event(
        "m.room.member",
        Some("@example:localhost"),
        json!({"membership": "join"}),
    );
    let shown = view().event(with_previous(
        join,
        json!({"membership": "join", "displayname": "Ex"}),
    ));
    assert_shows(
        &shown,
        json!({
            "prev_content": {"membership": "join", "displayname": "Ex", "avatar_url": null},
            "content": {"membership": "join", "prev": "join", "displayname": null, "avatar_url": null},
            "replaces_state": "$before",
            "prev_state": "$before",
        }),
    );
    let changed = with_previous(levels(), json!({"users": {"@example:localhost": 7}}));
    assert_eq!(
        view().event(changed)["prev_content"],
        json!({"@example:localhost": 7, "default": 0})
    );
}

#[test]
fn first_levels_bring_all_virtual_events_and_later_ones_what_changed() {
    let group = view().group(levels());
    let all = [
        "m.room.power_levels",
        "m.room.add_state_level",
        "m.room.send_event_level",
        "m.room.ops_levels",
    ];
    assert_eq!(types(&group), all);
    let before = levels()["content"].clone();
    let unchanged = with_previous(levels(), before.clone());
    assert_eq!(types(&view().group(unchanged)), ["m.room.power_levels"]);
    let mut raised = with_previous(levels(), before);
    raised["content"]["ban"] = 10.into();
    assert_eq!(
        types(&view().group(raised)),
        ["m.room.power_levels", "m.room.ops_levels"]
    );
}

#[test]
fn a_limit_counts_what_is_shown_and_virtual_events_yield_first() {
    let message = || event("m.room.message", None, json!({"msgtype": "m.text"}));
    let newest_first = || [message(), levels(), create()];
    let shown = |limit| {
        let (mut events, real) = view().page(newest_first(), Direction::Backward, limit);
        events.reverse();
        (types(&events).join(" ").replace("m.room.", ""), real)
    };
    let cases = [
        (1, "message", 1),
        (2, "power_levels message", 2),
        (3, "power_levels add_state_level message", 2),
        (
            5,
            "power_levels add_state_level send_event_level ops_levels message",
            2,
        ),
        (
            6,
            "create power_levels add_state_level send_event_level ops_levels message",
            3,
        ),
        (
            99,
            "create power_levels add_state_level send_event_level ops_levels message",
            3,
        ),
    ];
    for (limit, events, real) in cases {
        assert_eq!(shown(limit), (events.to_owned(), real), "limit {limit}");
    }
}

#[test]
fn creators_above_all_numbers_are_shown_above_all_numbers() {
    let content = json!({"room_version": "12", "additional_creators": ["@b:localhost"]});
    let create = event("m.room.create", Some(""), content);
    let shown = |content: Value| {
        let levels = event("m.room.power_levels", Some(""), content);
        let view = RoomView::new(Some(&create), Some(&levels));
        view.event(levels)["content"].clone()
    };
    let low = shown(json!({"users": {"@c:localhost": 50}, "events": {"m.room.name": 60}}));
    let wanted =
        json!({"@b:localhost": 100, "@c:localhost": 50, "@example:localhost": 100, "default": 0});
    assert_eq!(low, wanted);
    let high = shown(json!({"events": {"m.room.tombstone": 150}, "users_default": 3}));
    assert_eq!(
        high,
        json!({"@b:localhost": 150, "@example:localhost": 150, "default": 3})
    );
}

#[test]
fn old_rooms_may_write_levels_as_strings() {
    let levels = event(
        "m.room.power_levels",
        Some(""),
        json!({"users": {"@a:b": " 7 "}, "ban": "20"}),
    );
    let group = RoomView::new(Some(&create()), Some(&levels)).group(levels);
    assert_eq!(group[0]["content"], json!({"@a:b": 7, "default": 0}));
    assert_eq!(group[3]["content"]["ban_level"], 20);
}

#[test]
fn a_room_without_levels_shows_the_defaults() {
    let view = RoomView::new(Some(&create()), None);
    let state = view.state(vec![create()]);
    let names = [
        "m.room.create",
        "m.room.add_state_level",
        "m.room.send_event_level",
        "m.room.ops_levels",
    ];
    assert_eq!(types(&state), names);
    assert_eq!(
        state[1]["content"],
        json!({"level": 0}),
        "without levels, state needs none"
    );
    assert_eq!(state[1]["event_id"], "$m.room.create~add");
    assert_eq!(
        state[3]["content"],
        json!({"ban_level": 50, "kick_level": 50, "redact_level": 50})
    );
}

#[test]
fn real_events_of_the_virtual_types_are_hidden() {
    let fake = event("m.room.ops_levels", Some(""), json!({"ban_level": 0}));
    assert!(is_hidden(&fake) && is_virtual("m.room.ops_levels"));
    let state = view().state(vec![create(), levels(), fake]);
    assert_eq!(
        types(&state)
            .iter()
            .filter(|name| **name == "m.room.ops_levels")
            .count(),
        1
    );
    assert_eq!(state[4]["content"]["ban_level"], 5);
}

#[test]
fn join_rules_that_came_later_look_like_invite() {
    for (today, then) in [
        ("restricted", "invite"),
        ("knock_restricted", "invite"),
        ("knock", "knock"),
    ] {
        let rules = event(
            "m.room.join_rules",
            Some(""),
            json!({"join_rule": today, "allow": []}),
        );
        assert_eq!(view().event(rules)["content"]["join_rule"], then);
    }
}

#[test]
fn redactions_name_their_target_beside_the_content_and_leave_no_time_in_it() {
    let redaction = event(
        "m.room.redaction",
        None,
        json!({"redacts": "$m.room.message"}),
    );
    assert_eq!(
        view().event(redaction.clone())["redacts"],
        "$m.room.message"
    );
    let mut redacted = event("m.room.message", None, json!({}));
    redacted["unsigned"]["redacted_because"] = Value::Object(redaction);
    let shown = view().event(redacted);
    assert_eq!(shown["content"], json!({}));
    assert_eq!(shown["redacted_because"]["user_id"], "@example:localhost");
}
