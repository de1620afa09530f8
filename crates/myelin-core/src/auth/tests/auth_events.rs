//! Rule 2 (3 since version 12): what an event may refer to as its auth events.

use ruma::{EventId, RoomVersionId, event_id};
use serde_json::json;

use super::{Allowed, Refused, alice, expect, message, moderator, peopled_room};
use crate::{
    auth::{AuthError, AuthEvent, check_independent},
    event::Event,
    test_support::{TestRoom, creator, versions},
};

/// Checks with all state of both rooms known, one event of it perhaps rejected.
fn check(rooms: &[&TestRoom], event: &Event, rejected: Option<&EventId>) -> Result<(), AuthError> {
    check_independent(&rooms[0].version, event, |id| {
        let mut known = rooms.iter().flat_map(|room| room.events());
        let event = known.find(|event| event.event_id == id)?;
        Some(AuthEvent {
            event,
            rejected: rejected == Some(id),
        })
    })
}

fn id_of(room: &TestRoom, event_type: &str, key: &str) -> ruma::OwnedEventId {
    room.state(event_type, key).unwrap().event_id.clone()
}

#[test]
fn selected_auth_events_are_allowed() {
    for version in versions(1..=12) {
        let room = peopled_room(&version);
        let event = message(&room, alice());
        let n = if version == RoomVersionId::V12 { 2 } else { 3 };
        assert_eq!(event.auth_events.len(), n);
        expect(&check(&[&room], &event, None), Allowed, "2");
    }
}

#[test]
fn rule_2_1_no_duplicates() {
    for version in versions(1..=12) {
        let mut room = peopled_room(&version);
        let mut event = message(&room, alice());
        let first = event.auth_events[0].clone();
        event.auth_events.push(first);
        let end = Refused("duplicate auth event");
        expect(&check(&[&room], &event, None), end, "2.1");

        // Two different events for one pair.
        let mut event = message(&room, alice());
        let old_room_id = room.room_id.clone();
        let older = room.event(
            creator(),
            "m.room.power_levels",
            Some(""),
            json!({ "users_default": 1 }),
        );
        event.auth_events.push(older.event_id.clone());
        assert_eq!(older.room_id, old_room_id);
        room.keep(older);
        expect(&check(&[&room], &event, None), end, "2.1");
    }
}

#[test]
fn rule_2_2_only_what_the_selection_names() {
    for version in versions(1..=12) {
        let room = peopled_room(&version);
        for (event_type, key) in [
            ("m.room.join_rules", ""),
            ("m.room.member", moderator().as_str()),
        ] {
            let mut event = message(&room, alice());
            event.auth_events.push(id_of(&room, event_type, key));
            let end = Refused("unexpected auth event");
            expect(&check(&[&room], &event, None), end, "2.2");
        }
    }
}

#[test]
fn rule_3_2_the_create_event_is_not_selected_since_version_12() {
    let room = peopled_room(&RoomVersionId::V12);
    let mut event = message(&room, alice());
    event.auth_events.push(id_of(&room, "m.room.create", ""));
    assert!(check(&[&room], &event, None).is_err());
}

#[test]
fn rule_2_2_state_only() {
    for version in versions(1..=12) {
        let mut room = peopled_room(&version);
        let other = message(&room, alice());
        let mut event = message(&room, alice());
        event.auth_events.push(other.event_id.clone());
        room.keep(other);
        expect(
            &check(&[&room], &event, None),
            Refused("has no `state_key`"),
            "2.2",
        );
    }
}

#[test]
fn rule_2_3_nothing_rejected() {
    for version in versions(1..=12) {
        let room = peopled_room(&version);
        let event = message(&room, alice());
        for id in &event.auth_events {
            let end = Refused("rejected auth event");
            expect(&check(&[&room], &event, Some(id)), end, "2.3");
        }
        let unrelated = id_of(&room, "m.room.join_rules", "");
        expect(&check(&[&room], &event, Some(&unrelated)), Allowed, "2.3");
    }
}

#[test]
fn rule_2_4_the_create_event_is_there_until_version_11() {
    for version in versions(1..=11) {
        let room = peopled_room(&version);
        let mut event = message(&room, alice());
        let create_id = id_of(&room, "m.room.create", "");
        event.auth_events.retain(|id| *id != create_id);
        let end = Refused("no `m.room.create` event in auth events");
        expect(&check(&[&room], &event, None), end, "2.4");
    }
}

#[test]
fn rule_2_5_all_of_the_same_room() {
    for version in versions(1..=12) {
        let room = peopled_room(&version);
        let mut other = peopled_room(&version);
        other.room_id = ruma::room_id!("!other:example.org").to_owned();
        other.put_member(alice(), "join");
        let mut event = message(&room, alice());
        let member = id_of(&room, "m.room.member", alice().as_str());
        event.auth_events.retain(|id| *id != member);
        event
            .auth_events
            .push(id_of(&other, "m.room.member", alice().as_str()));
        let end = Refused("not in the same room");
        expect(&check(&[&room, &other], &event, None), end, "2.5");
    }
}

#[test]
fn unknown_auth_events_are_refused() {
    for version in versions(1..=12) {
        let room = peopled_room(&version);
        let mut event = message(&room, alice());
        event
            .auth_events
            .push(event_id!("$unknown:example.org").to_owned());
        expect(
            &check(&[&room], &event, None),
            Refused("failed to find auth event"),
            "2",
        );
        // Nor does an event build on state that is not current.
        expect(
            &room.check(&event),
            Refused("failed to find auth event"),
            "2",
        );
    }
}

#[test]
fn rule_2_the_room_id_is_an_accepted_create_event_since_version_12() {
    let version = RoomVersionId::V12;
    let room = peopled_room(&version);
    let event = message(&room, alice());
    expect(&check(&[&room], &event, None), Allowed, "2");

    let create_id = id_of(&room, "m.room.create", "");
    let end = Refused("rejected `m.room.create` event");
    expect(&check(&[&room], &event, Some(&create_id)), end, "2");

    let mut elsewhere = message(&room, alice());
    elsewhere.auth_events.clear();
    elsewhere.room_id = ruma::room_id!("!nowhere").to_owned();
    let end = Refused("failed to find `m.room.create` event");
    expect(&check(&[&room], &elsewhere, None), end, "2");
}

/// A room is named after a create event, not after any event.
#[test]
fn rule_2_no_other_event_names_a_room_since_version_12() {
    let version = RoomVersionId::V12;
    let room = peopled_room(&version);
    let topic = room.event(creator(), "m.room.topic", Some(""), json!({ "topic": "x" }));
    let mut event = message(&room, alice());
    event.auth_events.clear();
    event.room_id = topic
        .event_id
        .as_str()
        .replace('$', "!")
        .try_into()
        .unwrap();
    let mut room = room;
    room.keep(topic);
    expect(
        &check(&[&room], &event, None),
        Refused("`m.room.create`"),
        "2",
    );
}
