//! Rule 11, in room versions 1 and 2 only: who may redact.

use ruma::{EventId, UserId, event_id};
use serde_json::json;

use super::{Allowed, Refused};
use super::{End, alice, expect, moderator, nothing, peopled_room, set_power_levels};
use crate::{
    event::{Event, NewEvent, create},
    test_support::{TestRoom, object, versions},
};

fn redaction(room: &TestRoom, sender: &UserId, target: &EventId) -> Event {
    let like = super::message(room, sender);
    let new = NewEvent {
        room_id: Some(&room.room_id),
        sender,
        event_type: "m.room.redaction",
        state_key: None,
        content: object(json!({})),
        redacts: Some(target),
        sticky_ms: None,
        prev_events: &like.prev_events,
        auth_events: &like.auth_events,
        depth: 9,
        origin_server_ts: 1,
    };
    create(new, &room.version, &room.server).unwrap()
}

fn check(
    range: std::ops::RangeInclusive<u8>,
    prepare: fn(&mut TestRoom),
    sender: &UserId,
    target: &EventId,
    end: End,
) {
    for version in versions(range) {
        let mut room = peopled_room(&version);
        prepare(&mut room);
        let result = room.check(&redaction(&room, sender, target));
        expect(&result, end, &format!("11 in version {version}"));
    }
}

const REFUSED: End = Refused("did not pass any of the allow rules");

#[test]
fn rule_11_1_at_the_redact_level() {
    let target = event_id!("$a:elsewhere.org");
    check(1..=2, nothing, moderator(), target, Allowed);
    check(1..=2, nothing, alice(), target, REFUSED);
    let higher = |room: &mut TestRoom| set_power_levels(room, json!({ "redact": 51 }));
    check(1..=2, higher, moderator(), target, REFUSED);
    let lower = |room: &mut TestRoom| set_power_levels(room, json!({ "redact": 0 }));
    check(1..=2, lower, alice(), target, Allowed);
}

#[test]
fn rule_11_2_events_of_the_same_server() {
    check(
        1..=2,
        nothing,
        alice(),
        event_id!("$a:example.org"),
        Allowed,
    );
    check(
        1..=2,
        nothing,
        alice(),
        event_id!("$a:example.org:8448"),
        REFUSED,
    );
}

#[test]
fn since_version_3_a_redaction_is_an_event_like_any_other() {
    let target = event_id!("$a:elsewhere.org");
    check(3..=12, nothing, alice(), target, Allowed);
    let bound = |room: &mut TestRoom| {
        set_power_levels(room, json!({ "events": { "m.room.redaction": 50 } }));
    };
    check(
        3..=12,
        bound,
        alice(),
        target,
        Refused("enough power to send event of type"),
    );
    check(3..=12, bound, moderator(), target, Allowed);
}
