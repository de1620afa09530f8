//! The rules that hold for events of any kind: 3, 4, 6 to 9 and 12.

use ruma::{RoomVersionId, UserId, user_id};
use serde_json::json;

use super::{
    Allowed, Refused, alice, bob, check_rows, expect, member, message, moderator, nothing, people,
    row, set_power_levels,
};
use crate::test_support::{TestRoom, creator, versions};

fn stranger() -> &'static UserId {
    user_id!("@stranger:elsewhere.org")
}

#[test]
fn rule_3_unfederated_rooms_refuse_other_servers() {
    let table = [
        (json!({ "m.federate": false }), false),
        (json!({ "m.federate": true }), true),
        (json!({}), true),
    ];
    for version in versions(1..=12) {
        for (content, is_open) in &table {
            let room = people(TestRoom::with_create(&version, content.clone()));
            let end = if *is_open {
                Allowed
            } else {
                Refused("room is not federated")
            };
            expect(
                &room.check(&member(&room, stranger(), stranger(), "join")),
                end,
                "3",
            );
            expect(
                &room.check(&member(&room, bob(), bob(), "join")),
                Allowed,
                "3",
            );
        }
    }
}

#[test]
fn rule_4_aliases_until_version_5() {
    check_rows(vec![
        row(
            "4.1 no state key",
            1..=5,
            nothing,
            |room| room.event(alice(), "m.room.aliases", None, json!({})),
            Refused("does not match the server name of the sender"),
        ),
        row(
            "4.2 another server's",
            1..=5,
            nothing,
            |room| room.event(alice(), "m.room.aliases", Some("elsewhere.org"), json!({})),
            Refused("does not match the server name of the sender"),
        ),
        row(
            "4.3 the own server's, at any level and from outside",
            1..=5,
            nothing,
            |room| room.event(bob(), "m.room.aliases", Some("example.org"), json!({})),
            Allowed,
        ),
        row(
            "since version 6 a state event like any other",
            6..=12,
            nothing,
            |room| room.event(alice(), "m.room.aliases", Some("example.org"), json!({})),
            Refused("does not have enough power"),
        ),
        row(
            "since version 6 for any state key",
            6..=12,
            nothing,
            |room| {
                room.event(
                    moderator(),
                    "m.room.aliases",
                    Some("elsewhere.org"),
                    json!({}),
                )
            },
            Allowed,
        ),
    ]);
}

#[test]
fn rule_6_only_joined_users_send() {
    check_rows(vec![
        row(
            "6 joined",
            1..=12,
            nothing,
            |room| message(room, alice()),
            Allowed,
        ),
        row(
            "6 never joined",
            1..=12,
            nothing,
            |room| message(room, bob()),
            Refused("membership is not `join`"),
        ),
        row(
            "6 invited",
            1..=12,
            |room| room.put_member(bob(), "invite"),
            |room| message(room, bob()),
            Refused("membership is not `join`"),
        ),
        row(
            "6 left",
            1..=12,
            |room| room.put_member(alice(), "leave"),
            |room| message(room, alice()),
            Refused("membership is not `join`"),
        ),
        row(
            "6 banned",
            1..=12,
            |room| room.put_member(alice(), "ban"),
            |room| message(room, alice()),
            Refused("membership is not `join`"),
        ),
        row(
            "6 knocking",
            7..=12,
            |room| room.put_member(bob(), "knock"),
            |room| message(room, bob()),
            Refused("membership is not `join`"),
        ),
        row(
            "6 even the creator",
            1..=12,
            |room| room.put_member(creator(), "leave"),
            |room| message(room, creator()),
            Refused("membership is not `join`"),
        ),
    ]);
}

#[test]
fn rule_7_third_party_invites_need_the_invite_level() {
    fn invite(room: &TestRoom, sender: &UserId) -> crate::event::Event {
        room.event(
            sender,
            "m.room.third_party_invite",
            Some("token"),
            json!({}),
        )
    }
    check_rows(vec![
        row(
            "7 default 0",
            1..=12,
            nothing,
            |room| invite(room, alice()),
            Allowed,
        ),
        row(
            "7 below the level",
            1..=12,
            |room| set_power_levels(room, json!({ "invite": 50 })),
            |room| invite(room, alice()),
            Refused("enough power to send invites"),
        ),
        row(
            "7 at the level, whatever `events` says",
            1..=12,
            |room| {
                let events = json!({ "m.room.third_party_invite": 100 });
                set_power_levels(room, json!({ "invite": 50, "events": events }));
            },
            |room| invite(room, moderator()),
            Allowed,
        ),
        row(
            "7 not joined",
            1..=12,
            nothing,
            |room| invite(room, bob()),
            Refused("membership is not `join`"),
        ),
    ]);
}

#[test]
fn rule_8_the_required_level_with_its_defaults() {
    fn topic(room: &TestRoom, sender: &UserId) -> crate::event::Event {
        room.event(sender, "m.room.topic", Some(""), json!({}))
    }
    const REFUSED: super::End = Refused("enough power to send event of type");
    check_rows(vec![
        row(
            "8 events_default 0",
            1..=12,
            nothing,
            |room| message(room, alice()),
            Allowed,
        ),
        row(
            "8 state_default 50",
            1..=12,
            nothing,
            |room| topic(room, moderator()),
            Allowed,
        ),
        row(
            "8 state_default 50",
            1..=12,
            nothing,
            |room| topic(room, alice()),
            REFUSED,
        ),
        row(
            "8 events_default given",
            1..=12,
            |room| set_power_levels(room, json!({ "events_default": 1 })),
            |room| message(room, alice()),
            REFUSED,
        ),
        row(
            "8 state_default given",
            1..=12,
            |room| set_power_levels(room, json!({ "state_default": 0 })),
            |room| topic(room, alice()),
            Allowed,
        ),
        row(
            "8 events over events_default",
            1..=12,
            |room| set_power_levels(room, json!({ "events": { "m.room.message": 50 } })),
            |room| message(room, alice()),
            REFUSED,
        ),
        row(
            "8 events over state_default",
            1..=12,
            |room| set_power_levels(room, json!({ "events": { "m.room.topic": 0 } })),
            |room| topic(room, alice()),
            Allowed,
        ),
        row(
            "8 users_default",
            1..=12,
            |room| set_power_levels(room, json!({ "users_default": 50 })),
            |room| topic(room, alice()),
            Allowed,
        ),
        row(
            "8 users over users_default",
            1..=12,
            |room| {
                let users = json!({ alice().as_str(): -1 });
                set_power_levels(room, json!({ "users": users, "users_default": 50 }));
            },
            |room| message(room, alice()),
            REFUSED,
        ),
    ]);
}

#[test]
fn rule_8_without_power_levels_the_creator_rules() {
    check_rows(vec![
        row(
            "8 the creator has 100",
            1..=12,
            |room| room.remove("m.room.power_levels", ""),
            |room| room.event(creator(), "m.room.topic", Some(""), json!({})),
            Allowed,
        ),
        row(
            "8 others have 0, state_default is 50",
            1..=12,
            |room| room.remove("m.room.power_levels", ""),
            |room| room.event(moderator(), "m.room.topic", Some(""), json!({})),
            Refused("enough power"),
        ),
        row(
            "8 events_default is 0",
            1..=12,
            |room| room.remove("m.room.power_levels", ""),
            |room| message(room, alice()),
            Allowed,
        ),
    ]);
}

#[test]
fn rule_8_creators_are_above_every_level_since_version_12() {
    fn prepare(room: &mut TestRoom) {
        set_power_levels(
            room,
            json!({ "events": { "m.room.topic": 9_007_199_254_740_991_i64 } }),
        );
    }
    check_rows(vec![
        row(
            "8 a number cannot bind the creator",
            12..=12,
            prepare,
            |room| room.event(creator(), "m.room.topic", Some(""), json!({})),
            Allowed,
        ),
        row(
            "8 before, it could",
            1..=11,
            prepare,
            |room| room.event(creator(), "m.room.topic", Some(""), json!({})),
            Refused("enough power"),
        ),
    ]);
    let additional = json!({ "additional_creators": [alice()] });
    for version in versions(11..=12) {
        let room = people(TestRoom::with_create(&version, additional.clone()));
        let event = room.event(alice(), "m.room.topic", Some(""), json!({}));
        let end = if version == RoomVersionId::V12 {
            Allowed
        } else {
            Refused("enough power")
        };
        expect(&room.check(&event), end, "8 additional creators");
    }
}

#[test]
fn rule_8_levels_may_be_strings_until_version_9() {
    fn prepare(room: &mut TestRoom) {
        let users = json!({ alice().as_str(): " +060 " });
        set_power_levels(room, json!({ "users": users, "state_default": "60" }));
    }
    check_rows(vec![
        row(
            "8 at the level",
            1..=9,
            prepare,
            |room| room.event(alice(), "m.room.topic", Some(""), json!({})),
            Allowed,
        ),
        row(
            "8 below the level",
            1..=9,
            prepare,
            |room| room.event(moderator(), "m.room.topic", Some(""), json!({})),
            Refused("enough power"),
        ),
    ]);
}

#[test]
fn rule_9_state_keys_that_are_user_ids_are_their_own() {
    check_rows(vec![
        row(
            "9 one's own",
            1..=12,
            nothing,
            |room| room.event(moderator(), "org.x", Some(moderator().as_str()), json!({})),
            Allowed,
        ),
        row(
            "9 another's",
            1..=12,
            nothing,
            |room| room.event(moderator(), "org.x", Some(alice().as_str()), json!({})),
            Refused("matching another user's ID"),
        ),
        row(
            "9 anything that starts with @",
            1..=12,
            nothing,
            |room| room.event(moderator(), "org.x", Some("@"), json!({})),
            Refused("matching another user's ID"),
        ),
        row(
            "9 others are free",
            1..=12,
            nothing,
            |room| room.event(moderator(), "org.x", Some("alice@"), json!({})),
            Allowed,
        ),
        row(
            "9 even for creators",
            1..=12,
            nothing,
            |room| room.event(creator(), "org.x", Some(alice().as_str()), json!({})),
            Refused("matching another user's ID"),
        ),
    ]);
}

#[test]
fn rule_12_otherwise_allow() {
    check_rows(vec![
        row(
            "12 an unknown type",
            1..=12,
            nothing,
            |room| room.event(alice(), "org.example.unknown", None, json!({ "x": [1] })),
            Allowed,
        ),
        row(
            "12 an empty type",
            1..=12,
            nothing,
            |room| room.event(alice(), "", None, json!({})),
            Allowed,
        ),
    ]);
}

#[test]
fn without_a_create_event_nothing_is_allowed() {
    check_rows(vec![row(
        "no create event",
        1..=12,
        nothing,
        |room| {
            let event = message(room, alice());
            assert!(crate::auth::check_dependent(&room.version, &event, |_, _| None).is_err());
            event
        },
        Allowed,
    )]);
}
