//! Each rule of the specification, in each room version that has it: what it allows and what it refuses.
//!
//! The rules are numbered as in room version 1 unless a test says otherwise. A refusal is expected for its
//! reason, so that no rule hides behind another.
#![expect(clippy::too_many_lines, reason = "tables")]
#![expect(
    clippy::needless_pass_by_value,
    reason = "`json!` reads better unborrowed"
)]

use std::ops::RangeInclusive;

use ruma::{RoomVersionId, UserId, user_id};
use serde_json::{Value, json};

use super::AuthError;
use crate::{
    event::Event,
    test_support::{TestRoom, all_versions, creator, versions},
};

mod auth_events;
mod create;
mod events;
mod invite;
mod join;
mod leave_ban_knock;
mod power_levels;
mod redaction;

/// In these room versions, in the room so prepared, this event meets this end.
struct Row {
    rule: &'static str,
    versions: RangeInclusive<u8>,
    prepare: fn(&mut TestRoom),
    event: fn(&TestRoom) -> Event,
    end: End,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Allowed,
    /// With a part of the reason.
    Refused(&'static str),
}

use End::{Allowed, Refused};

fn row(
    rule: &'static str,
    versions: RangeInclusive<u8>,
    prepare: fn(&mut TestRoom),
    event: fn(&TestRoom) -> Event,
    end: End,
) -> Row {
    Row {
        rule,
        versions,
        prepare,
        event,
        end,
    }
}

fn check_rows(rows: Vec<Row>) {
    for row in rows {
        for version in versions(row.versions) {
            let mut room = peopled_room(&version);
            (row.prepare)(&mut room);
            let event = (row.event)(&room);
            expect(
                &room.check(&event),
                row.end,
                &format!("{} in version {version}", row.rule),
            );
        }
    }
}

fn expect(result: &Result<(), AuthError>, end: End, what: &str) {
    match (result, end) {
        (Ok(()), Allowed) => {}
        (Err(error), Refused(reason)) => {
            let error = error.to_string();
            assert!(
                error.contains(reason),
                "{what}: refused, but because {error}"
            );
        }
        _ => panic!("{what}: {result:?}, expected {end:?}"),
    }
}

fn nothing(_: &mut TestRoom) {}

/// Level 50.
fn moderator() -> &'static UserId {
    user_id!("@mod:example.org")
}

/// Joined, level 0.
fn alice() -> &'static UserId {
    user_id!("@alice:example.org")
}

/// Not in the room, level 0.
fn bob() -> &'static UserId {
    user_id!("@bob:example.org")
}

/// A public room with its creator (level 100, or infinite since version 12), a moderator and Alice.
fn peopled_room(version: &RoomVersionId) -> TestRoom {
    people(TestRoom::new(version))
}

fn people(mut room: TestRoom) -> TestRoom {
    room.put_member(creator(), "join");
    room.put(
        creator(),
        "m.room.join_rules",
        "",
        json!({ "join_rule": "public" }),
    );
    room.put_member(moderator(), "join");
    room.put_member(alice(), "join");
    set_power_levels(&mut room, json!({}));
    room
}

/// Sets the power levels: the people's, and what `content` adds or replaces.
fn set_power_levels(room: &mut TestRoom, content: Value) {
    let content = power_levels(room, content);
    room.put(creator(), "m.room.power_levels", "", content);
}

fn power_levels(room: &TestRoom, content: Value) -> Value {
    let mut users = json!({ moderator().as_str(): 50 });
    if room.version != RoomVersionId::V12 {
        users[creator().as_str()] = json!(100);
    }
    let mut levels = json!({ "users": users });
    for (key, value) in content.as_object().unwrap() {
        if key == "users" {
            for (user, level) in value.as_object().unwrap() {
                levels["users"][user] = level.clone();
            }
        } else {
            levels[key] = value.clone();
        }
    }
    levels
}

fn set_join_rule(room: &mut TestRoom, rule: &str) {
    room.put(
        creator(),
        "m.room.join_rules",
        "",
        json!({ "join_rule": rule }),
    );
}

fn member(room: &TestRoom, sender: &UserId, target: &UserId, membership: &str) -> Event {
    let content = json!({ "membership": membership });
    room.event(sender, "m.room.member", Some(target.as_str()), content)
}

fn message(room: &TestRoom, sender: &UserId) -> Event {
    room.event(sender, "m.room.message", None, json!({ "body": "hi" }))
}

#[test]
fn the_rules_of_an_unknown_version_refuse() {
    let mut room = peopled_room(&RoomVersionId::V11);
    let event = message(&room, alice());
    room.version = RoomVersionId::try_from("org.example.unknown").unwrap();
    let error = room.check(&event).unwrap_err();
    assert_eq!(
        error.to_string(),
        "room version `org.example.unknown` is not known"
    );
}

/// What rule 2.2 lets into the auth events is what the selection algorithm of the server-server API picks.
#[test]
fn auth_events_are_selected_as_specified() {
    type Case = (
        &'static str,
        Option<&'static str>,
        Value,
        Vec<(&'static str, &'static str)>,
    );
    let cases: Vec<Case> = vec![
        ("m.room.create", Some(""), json!({}), vec![]),
        ("m.room.message", None, json!({}), vec![]),
        (
            "m.room.member",
            Some("@bob:example.org"),
            json!({ "membership": "invite" }),
            vec![
                ("m.room.member", "@bob:example.org"),
                ("m.room.join_rules", ""),
            ],
        ),
        (
            "m.room.member",
            Some("@alice:example.org"),
            json!({ "membership": "join" }),
            vec![("m.room.join_rules", "")],
        ),
        (
            "m.room.member",
            Some("@alice:example.org"),
            json!({ "membership": "knock" }),
            vec![("m.room.join_rules", "")],
        ),
        (
            "m.room.member",
            Some("@bob:example.org"),
            json!({ "membership": "ban" }),
            vec![("m.room.member", "@bob:example.org")],
        ),
        (
            "m.room.member",
            Some("@bob:example.org"),
            json!({
                "membership": "invite",
                "third_party_invite": { "signed": { "token": "t", "mxid": "@bob:example.org" } },
            }),
            vec![
                ("m.room.member", "@bob:example.org"),
                ("m.room.join_rules", ""),
                ("m.room.third_party_invite", "t"),
            ],
        ),
    ];
    for version in all_versions() {
        for (event_type, state_key, content, expected) in &cases {
            let raw = serde_json::value::to_raw_value(content).unwrap();
            let types = super::auth_types(&version, event_type, alice(), *state_key, &raw).unwrap();
            let mut expected = expected.clone();
            if *event_type != "m.room.create" {
                expected.push(("m.room.power_levels", ""));
                expected.push(("m.room.member", "@alice:example.org"));
            }
            if *event_type != "m.room.create" && version != RoomVersionId::V12 {
                expected.push(("m.room.create", ""));
            }
            let mut types: Vec<(&str, &str)> = types
                .iter()
                .map(|(name, key)| (name.as_str(), key.as_str()))
                .collect();
            types.sort_unstable();
            expected.sort_unstable();
            assert_eq!(
                types, expected,
                "{event_type} {content} in version {version}"
            );
        }
    }
}

#[test]
fn the_authorising_member_is_selected_since_version_8() {
    let content = json!({
        "membership": "join", "join_authorised_via_users_server": "@mod:example.org",
    });
    let raw = serde_json::value::to_raw_value(&content).unwrap();
    for version in all_versions() {
        let types = super::auth_types(&version, "m.room.member", bob(), Some(bob().as_str()), &raw)
            .unwrap();
        let wanted = ("m.room.member".to_owned(), moderator().to_string());
        let has_restricted = version.rules().unwrap().authorization.restricted_join_rule;
        assert_eq!(types.contains(&wanted), has_restricted, "{version}");
    }
}
