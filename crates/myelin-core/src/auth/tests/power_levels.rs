//! Rule 10 of room version 1 (9 from version 6 to 11): changing power levels.

use ruma::UserId;
use serde_json::{Value, json};

use super::{
    Allowed, End, Refused, alice, bob, expect, moderator, peopled_room, power_levels,
    set_power_levels,
};
use crate::test_support::{TestRoom, creator, versions};

const FIELDS: [(&str, i64); 7] = [
    ("users_default", 0),
    ("events_default", 0),
    ("state_default", 50),
    ("ban", 50),
    ("redact", 50),
    ("kick", 50),
    ("invite", 0),
];

fn check_content(room: &TestRoom, sender: &UserId, content: Value, end: End, what: &str) {
    let what = format!("{what}: {content} in version {}", room.version);
    let event = room.event(sender, "m.room.power_levels", Some(""), content);
    expect(&room.check(&event), end, &what);
}

/// From these levels the moderator changes to those.
fn change(room: &mut TestRoom, from: Value, to: Value, end: End, what: &str) {
    set_power_levels(room, from);
    let to = power_levels(room, to);
    check_content(room, moderator(), to, end, what);
}

#[test]
fn the_users_are_user_ids_with_integers() {
    const REFUSED: End = Refused("unexpected format of `users`");
    for version in versions(1..=12) {
        let is_lax = !version.rules().unwrap().authorization.integer_power_levels;
        let string = if is_lax { Allowed } else { REFUSED };
        let table = [
            (json!({}), Allowed),
            (json!({ "@a:x.org": 1, "@b:y.org": -1 }), Allowed),
            (json!({ "@a:x.org": "10" }), string),
            (json!({ "@a:x.org": " -0010 " }), string),
            (json!({ "@a:x.org": "ten" }), REFUSED),
            (json!({ "@a:x.org": "1.0" }), REFUSED),
            (json!({ "@a:x.org": null }), REFUSED),
            (json!({ "@a:x.org": {} }), REFUSED),
            (json!({ "@a:x.org": true }), REFUSED),
            (json!({ "a": 1 }), REFUSED),
            (json!({ "@a": 1 }), REFUSED),
            (json!([]), REFUSED),
            (json!("users"), REFUSED),
            (json!(1), REFUSED),
        ];
        for (users, end) in table {
            let mut room = TestRoom::new(&version);
            room.put_member(creator(), "join");
            check_content(&room, creator(), json!({ "users": users }), end, "10.1");
        }
    }
}

#[test]
fn levels_are_integers_since_version_10() {
    for version in versions(1..=12) {
        let is_lax = !version.rules().unwrap().authorization.integer_power_levels;
        let mut room = TestRoom::new(&version);
        room.put_member(creator(), "join");
        for (field, _) in FIELDS {
            check_content(&room, creator(), json!({ field: 1 }), Allowed, "9.1");
            let end = if is_lax {
                Allowed
            } else {
                Refused("unexpected format of")
            };
            check_content(&room, creator(), json!({ field: "1" }), end, "9.1");
            let wrong = [json!(null), json!(true), json!([]), json!({}), json!("x")];
            for wrong in wrong.into_iter().filter(|_| !is_lax) {
                check_content(&room, creator(), json!({ field: wrong }), end, "9.1");
            }
        }
    }
}

#[test]
fn maps_hold_integers_since_version_10() {
    for version in versions(10..=12) {
        let mut room = TestRoom::new(&version);
        room.put_member(creator(), "join");
        for field in ["events", "notifications"] {
            for right in [json!({}), json!({ "m.x": 1, "room": -1 })] {
                check_content(&room, creator(), json!({ field: right }), Allowed, "9.2");
            }
            for wrong in [
                json!([]),
                json!(1),
                json!("x"),
                json!({ "a": "1" }),
                json!({ "a": {} }),
            ] {
                let end = Refused("unexpected format of");
                check_content(&room, creator(), json!({ field: wrong }), end, "9.2");
            }
        }
    }
}

#[test]
fn creators_are_not_listed_since_version_12() {
    for version in versions(11..=12) {
        let create = json!({ "additional_creators": [alice()] });
        let mut room = TestRoom::with_create(&version, create);
        room.put_member(creator(), "join");
        let is_12 = version == ruma::RoomVersionId::V12;
        let end = if is_12 {
            Refused("creator user IDs are not allowed")
        } else {
            Allowed
        };
        for user in [creator(), alice()] {
            check_content(
                &room,
                creator(),
                json!({ "users": { user: 100 } }),
                end,
                "10.4",
            );
        }
        check_content(
            &room,
            creator(),
            json!({ "users": { bob(): 100 } }),
            Allowed,
            "10.4",
        );
    }
}

#[test]
fn the_first_power_levels_are_free() {
    for version in versions(1..=12) {
        let mut room = peopled_room(&version);
        room.remove("m.room.power_levels", "");
        let mut content = power_levels(&room, json!({ "users": { bob().as_str(): 1000 } }));
        for (field, _) in FIELDS {
            content[field] = json!(1000);
        }
        check_content(&room, creator(), content, Allowed, "10.2");
    }
}

#[test]
fn each_level_changes_within_the_senders_own() {
    for version in versions(1..=12) {
        let mut room = peopled_room(&version);
        for (field, default) in FIELDS {
            let end = Refused("to change the power level of");
            let what = format!("10.3 {field}");
            let to_50 = json!({ field: 50 });
            let to_51 = json!({ field: 51 });
            let mut at = |from: &Value, to: &Value, end| {
                // The sender must be allowed to send the event at all.
                let mut from = from.clone();
                from["events"] = json!({ "m.room.power_levels": 50 });
                let mut to = to.clone();
                to["events"] = json!({ "m.room.power_levels": 50 });
                change(&mut room, from, to, end, &what);
            };
            at(&json!({}), &to_50, Allowed);
            at(&json!({}), &to_51, end);
            at(&to_50, &json!({ field: -5 }), Allowed);
            at(&to_50, &json!({}), Allowed);
            at(&to_51, &json!({ field: 1 }), end);
            at(&to_51, &json!({}), end);
            at(&to_51, &to_51, Allowed);
            at(&json!({}), &json!({ field: default }), Allowed);
        }
    }
}

#[test]
fn each_event_level_changes_within_the_senders_own() {
    for version in versions(1..=12) {
        let mut room = peopled_room(&version);
        check_map_changes(&mut room, "events", Refused("event type power level"));
    }
}

#[test]
fn each_notification_level_changes_within_the_senders_own_since_version_6() {
    for version in versions(1..=12) {
        let mut room = peopled_room(&version);
        let is_bound = version
            .rules()
            .unwrap()
            .authorization
            .limit_notifications_power_levels;
        let end = if is_bound {
            Refused("notification power level")
        } else {
            Allowed
        };
        check_map_changes(&mut room, "notifications", end);
    }
}

fn check_map_changes(room: &mut TestRoom, field: &str, refused: End) {
    let what = format!("10.4 and 10.5 {field}");
    let levels = |level: i64| json!({ field: { "room": level } });
    let none = || json!({ field: {} });
    let table = [
        (none(), levels(50), Allowed),
        (none(), levels(51), refused),
        (json!({}), levels(51), refused),
        (levels(50), levels(-1), Allowed),
        (levels(50), none(), Allowed),
        (levels(50), levels(51), refused),
        (levels(51), levels(50), refused),
        (levels(51), none(), refused),
        (levels(51), json!({}), refused),
        (levels(51), levels(51), Allowed),
    ];
    for (from, to, end) in table {
        change(room, from, to, end, &what);
    }
}

#[test]
fn each_users_level_changes_below_the_senders_own() {
    const REFUSED: End = Refused("does not have enough power to change `@");
    let bob_at = |level: i64| json!({ "users": { bob().as_str(): level } });
    let own = |level: i64| json!({ "users": { moderator().as_str(): level } });
    for version in versions(1..=12) {
        let mut room = peopled_room(&version);
        let table = [
            (
                "10.7 added at the own level",
                json!({}),
                bob_at(50),
                Allowed,
            ),
            ("10.7 added above", json!({}), bob_at(51), REFUSED),
            (
                "10.7 raised to the own level",
                bob_at(49),
                bob_at(50),
                Allowed,
            ),
            ("10.7 raised above", bob_at(49), bob_at(51), REFUSED),
            ("10.6 lowered from below", bob_at(49), bob_at(0), Allowed),
            (
                "10.6 lowered from the own level",
                bob_at(50),
                bob_at(49),
                REFUSED,
            ),
            ("10.6 lowered from above", bob_at(51), bob_at(49), REFUSED),
            ("10.6 removed from below", bob_at(49), json!({}), Allowed),
            (
                "10.6 removed from the own level",
                bob_at(50),
                json!({}),
                REFUSED,
            ),
            ("10.6 kept above", bob_at(51), bob_at(51), Allowed),
            ("10.6 the own entry lowered", json!({}), own(1), Allowed),
            ("10.7 the own entry raised", json!({}), own(51), REFUSED),
        ];
        for (what, from, to, end) in table {
            change(&mut room, from, to, end, what);
        }

        set_power_levels(&mut room, json!({}));
        let mut without = power_levels(&room, json!({}));
        without["users"]
            .as_object_mut()
            .unwrap()
            .remove(moderator().as_str());
        check_content(
            &room,
            moderator(),
            without,
            Allowed,
            "10.6 the own entry removed",
        );
    }
}

#[test]
fn power_levels_need_their_level() {
    for version in versions(1..=12) {
        let room = peopled_room(&version);
        let end = Refused("enough power to send event of type");
        check_content(&room, alice(), power_levels(&room, json!({})), end, "8");
        check_content(
            &room,
            moderator(),
            power_levels(&room, json!({})),
            Allowed,
            "10.8",
        );
    }
}
