//! The power levels of a room that was replaced, and of the one that takes its place.

use myelin_core::power::PowerLevels;
use ruma::{CanonicalJsonObject, CanonicalJsonValue, Int};

use super::{UpgradeRoom, carried::Kept};
use crate::create::creators_rule;

/// The level of moderators in most rooms.
const MODERATOR: i64 = 50;
/// The level of administrators in rooms whose creators do not stand above all levels.
const ADMIN: i64 = 100;
/// Who upgrades a room of version 12 leaves creators behind, so more than an admin is needed.
const TOMBSTONE: i64 = 150;

/// The levels of the new room: those of the old one, as its version can say them.
pub(super) fn of_new(
    upgrade: &UpgradeRoom<'_>,
    kept: &Kept,
    mut content: CanonicalJsonObject,
) -> CanonicalJsonObject {
    let rules = upgrade.version.rules();
    if rules.is_none_or(|rules| rules.authorization.integer_power_levels) {
        to_integers(&mut content);
    }
    let stand_above = creators_rule(&upgrade.version);
    let users = object(&mut content, "users");
    if stand_above {
        users.remove(upgrade.user.as_str());
        for user in &upgrade.additional_creators {
            users.remove(user.as_str());
        }
        if !kept.creators_stand_above {
            let events = object(&mut content, "events");
            let before = events.get("m.room.tombstone").and_then(integer);
            let level = before.unwrap_or_default().max(TOMBSTONE);
            events.insert("m.room.tombstone".to_owned(), number(level));
        }
    } else if kept.creators_stand_above {
        // What they were by their standing they are now by a level that reaches everything.
        let highest = highest(&content);
        let users = object(&mut content, "users");
        for creator in &kept.creators {
            users.insert(creator.to_string(), number(highest));
        }
    }
    content
}

/// The levels of the old room: only moderators speak, and invite.
pub(super) fn of_old(
    mut content: CanonicalJsonObject,
    levels: &PowerLevels,
) -> CanonicalJsonObject {
    let above_all = levels
        .users_default
        .saturating_add(1)
        .min(i64::from(Int::MAX));
    for (key, before) in [
        ("events_default", levels.events_default),
        ("invite", levels.invite),
    ] {
        let level = before.max(above_all).max(MODERATOR);
        if level != before {
            content.insert(key.to_owned(), number(level));
        }
    }
    content
}

/// The highest level that the content names or means.
fn highest(content: &CanonicalJsonObject) -> i64 {
    let of = |value: &CanonicalJsonValue| match value {
        CanonicalJsonValue::Object(levels) => levels.values().filter_map(integer).max(),
        value => integer(value),
    };
    content.values().filter_map(of).fold(ADMIN, i64::max)
}

/// Levels as text, which older versions allow.
fn to_integers(content: &mut CanonicalJsonObject) {
    for value in content.values_mut() {
        if let CanonicalJsonValue::Object(levels) = value {
            to_integers(levels);
        } else if let Some(level) = value.as_str().and_then(|text| text.trim().parse().ok()) {
            *value = number(level);
        }
    }
}

fn object<'a>(content: &'a mut CanonicalJsonObject, key: &str) -> &'a mut CanonicalJsonObject {
    let value = content
        .entry(key.to_owned())
        .or_insert_with(|| CanonicalJsonObject::new().into());
    if !value.is_object() {
        *value = CanonicalJsonObject::new().into();
    }
    match value {
        CanonicalJsonValue::Object(object) => object,
        _ => unreachable!("it was made one"),
    }
}

fn integer(value: &CanonicalJsonValue) -> Option<i64> {
    match value {
        CanonicalJsonValue::Integer(level) => Some(i64::from(*level)),
        _ => None,
    }
}

fn number(level: i64) -> CanonicalJsonValue {
    CanonicalJsonValue::Integer(Int::new_saturating(level))
}
