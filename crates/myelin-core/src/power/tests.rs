use ruma::{RoomVersionId, user_id};
use serde_json::{json, value::to_raw_value};

use super::{CREATOR_LEVEL, PowerLevels};
use crate::test_support::{TestRoom, all_versions};

fn levels(version: &RoomVersionId, content: &serde_json::Value) -> Option<PowerLevels> {
    PowerLevels::from_content(version, &to_raw_value(content).unwrap()).ok()
}

#[test]
fn defaults_are_those_of_the_specification() {
    for version in all_versions() {
        let levels = levels(&version, &json!({})).unwrap();
        assert_eq!(levels, PowerLevels::default());
        assert_eq!(levels.level_of(user_id!("@a:x")), 0);
        assert_eq!(levels.required_level("m.room.message", false), 0);
        assert_eq!(levels.required_level("m.room.topic", true), 50);
        assert_eq!((levels.ban, levels.kick, levels.redact), (50, 50, 50));
        assert_eq!((levels.invite, levels.notify_room), (0, 50));
    }
}

#[test]
fn what_is_given_replaces_the_defaults() {
    let content = json!({
        "users": { "@a:x": 100, "@b:x": -1 }, "users_default": 5,
        "events": { "m.room.topic": 60, "m.room.message": 7 },
        "events_default": 1, "state_default": 2, "ban": 3, "kick": 4, "redact": 6, "invite": 8,
        "notifications": { "room": 9 },
    });
    for version in all_versions() {
        let levels = levels(&version, &content).unwrap();
        assert_eq!(levels.level_of(user_id!("@a:x")), 100);
        assert_eq!(levels.level_of(user_id!("@b:x")), -1);
        assert_eq!(levels.level_of(user_id!("@c:x")), 5);
        assert_eq!(levels.required_level("m.room.topic", true), 60);
        assert_eq!(levels.required_level("m.room.message", false), 7);
        assert_eq!(levels.required_level("other", false), 1);
        assert_eq!(levels.required_level("other", true), 2);
        assert_eq!((levels.ban, levels.kick, levels.redact), (3, 4, 6));
        assert_eq!((levels.invite, levels.notify_room), (8, 9));
        assert!(levels.may_send(user_id!("@a:x"), "m.room.topic", true));
        assert!(!levels.may_send(user_id!("@c:x"), "m.room.topic", true));
    }
}

#[test]
fn strings_are_levels_until_version_9() {
    let content = json!({ "users": { "@a:x": "42" }, "ban": "+7", "events": { "t": " 3 " } });
    for version in all_versions() {
        let is_lax = !version.rules().unwrap().authorization.integer_power_levels;
        let levels = levels(&version, &content);
        assert_eq!(levels.is_some(), is_lax, "{version}");
        if let Some(levels) = levels {
            assert_eq!(levels.level_of(user_id!("@a:x")), 42);
            assert_eq!((levels.ban, levels.required_level("t", false)), (7, 3));
        }
    }
}

#[test]
fn creators_have_100_without_an_event_and_always_the_most_since_version_12() {
    for version in all_versions() {
        let room = TestRoom::new(&version);
        let create = room.state("m.room.create", "").unwrap();
        let is_12 = version == RoomVersionId::V12;
        let without = PowerLevels::of_room(&version, create, None).unwrap();
        let expected = if is_12 { CREATOR_LEVEL } else { 100 };
        assert_eq!(without.level_of(&create.sender), expected, "{version}");

        let event = room.unsigned_event(
            "m.room.power_levels",
            Some(""),
            json!({ "users_default": 3 }),
        );
        let with = PowerLevels::of_room(&version, create, Some(&event)).unwrap();
        let expected = if is_12 { CREATOR_LEVEL } else { 3 };
        assert_eq!(with.level_of(&create.sender), expected, "{version}");
    }
}
