//! Answers cut anywhere, and states that were tampered with.

use ruma::{RoomVersionId, user_id};
use serde_json::json;

use super::{
    AnswerError, AnswerReader, Part, Place, SnapshotError, Standing, Told, Verdict, judge,
};
use crate::{
    event::Event,
    test_support::{TestRoom, all_versions, creator, versions},
};

fn read(text: &[u8], piece: usize) -> Result<(Vec<Part>, usize), AnswerError> {
    let mut reader = AnswerReader::default();
    let mut parts = Vec::new();
    for bytes in text.chunks(piece) {
        reader.feed(bytes, &mut parts)?;
    }
    reader.finish()?;
    Ok((parts, reader.left_out))
}

fn pdu(place: Place, text: &str) -> Part {
    Part::Pdu(place, text.as_bytes().to_vec())
}

#[test]
fn an_answer_is_read_the_same_wherever_it_is_cut() {
    let text = br#" { "origin" : "a.example", "x":[1,{"state":[7]}] ,
        "state" : [ {"a":"}]\"\\"} , {"b":[{}]}, 5 ,null],"members_omitted": true,
        "event":{"c":1},"auth_chain":[] } "#;
    let expected = [
        pdu(Place::State, r#"{"a":"}]\"\\"}"#),
        pdu(Place::State, r#"{"b":[{}]}"#),
        pdu(Place::State, "5"),
        pdu(Place::State, "null"),
        Part::MembersOmitted,
        Part::Event(br#"{"c":1}"#.to_vec()),
    ];
    for piece in 1..=text.len() {
        assert_eq!(read(text, piece).unwrap(), (expected.to_vec(), 0));
    }
}

#[test]
fn what_is_no_such_answer_is_refused() {
    let table = [
        ("[]", AnswerError::NotAnObject),
        ("", AnswerError::BreaksOff),
        (r#"{"state":[],"auth_chain":["#, AnswerError::BreaksOff),
        (r#"{"state":[]}"#, AnswerError::Missing("auth_chain")),
        (r#"{"auth_chain":[]}"#, AnswerError::Missing("state")),
        (
            r#"{"state":{},"auth_chain":[]}"#,
            AnswerError::NotAnArray("state"),
        ),
        (
            r#"{"state":[],"auth_chain":[],"state":[]}"#,
            AnswerError::Twice("state"),
        ),
        (
            r#"{"state":[],"auth_chain":[],"pdus":[]}"#,
            AnswerError::Twice("pdus"),
        ),
        (r#"{"state" []}"#, AnswerError::NotJson(9)),
        (r#"{"state":[]]"#, AnswerError::NotJson(11)),
        (r#"{"x":}"#, AnswerError::NotJson(5)),
        (r#"{"x":1,}"#, AnswerError::NotJson(7)),
    ];
    for (text, error) in table {
        assert_eq!(read(text.as_bytes(), 3).unwrap_err(), error, "{text}");
    }
}

#[test]
fn what_is_too_large_for_an_event_is_left_out_alone() {
    let large = "x".repeat(300 * 1024);
    let text = format!(r#"{{"state":[{{"a":1}},"{large}",{{"b":2}}],"auth_chain":[]}}"#);
    let (parts, left_out) = read(text.as_bytes(), 4_096).unwrap();
    let expected = [
        pdu(Place::State, r#"{"a":1}"#),
        pdu(Place::State, r#"{"b":2}"#),
    ];
    assert_eq!((parts, left_out), (expected.to_vec(), 1));
}

/// A room with a member who was invited, and a guest of another name who joined by the open door.
fn room(version: &RoomVersionId) -> TestRoom {
    let mut room = TestRoom::new(version);
    room.put_member(creator(), "join");
    let levels = json!({"users": {creator().as_str(): 100}});
    let levels = if version == &RoomVersionId::V12 {
        json!({})
    } else {
        levels
    };
    room.put(creator(), "m.room.power_levels", "", levels);
    let open = json!({"join_rule": "public"});
    room.put(creator(), "m.room.join_rules", "", open);
    room.put_member(user_id!("@guest:example.org"), "join");
    room
}

fn all(room: &TestRoom) -> Vec<Told<'_>> {
    let told = |event| Told {
        event,
        in_state: true,
        standing: Standing::New,
    };
    room.events().map(told).collect()
}

fn types(told: &[Told<'_>], state: &[usize]) -> Vec<String> {
    let mut types: Vec<String> = state
        .iter()
        .map(|index| told[*index].event.type_str().to_owned())
        .collect();
    types.sort();
    types
}

#[test]
fn a_whole_state_holds_in_whatever_order_it_comes() {
    for version in all_versions() {
        let room = room(&version);
        let mut told = all(&room);
        for _ in 0..told.len() {
            told.rotate_left(1);
            let judged = judge(&version, &told).unwrap();
            assert!(judged.verdicts.iter().all(|v| *v == Verdict::Accepted));
            assert_eq!(judged.state.len(), told.len());
        }
    }
}

#[test]
fn a_state_without_its_create_event_is_refused() {
    for version in all_versions() {
        let room = room(&version);
        let mut told = all(&room);
        told.retain(|found| found.event.type_str() != "m.room.create");
        assert_eq!(
            judge(&version, &told).unwrap_err(),
            SnapshotError::NoCreate,
            "{version}"
        );
    }
}

#[test]
fn what_refers_to_a_missing_event_does_not_hold() {
    for version in all_versions() {
        let room = room(&version);
        let mut told = all(&room);
        told.retain(|found| found.event.type_str() != "m.room.join_rules");
        let judged = judge(&version, &told).unwrap();
        // The guest's join refers to the join rules.
        let expected = ["m.room.create", "m.room.member", "m.room.power_levels"];
        assert_eq!(types(&told, &judged.state), expected);
        assert!(judged.verdicts.contains(&Verdict::Incomplete));
    }
}

/// CVE of Synapse 1.15.2: a small subset of the state takes the place of the whole.
#[test]
fn a_state_that_holds_back_the_power_levels_is_refused() {
    for version in all_versions() {
        for held_back in ["m.room.power_levels", "m.room.join_rules"] {
            let room = room(&version);
            let mut told = all(&room);
            for found in &mut told {
                found.in_state = found.event.type_str() != held_back;
            }
            assert_eq!(
                judge(&version, &told).unwrap_err(),
                SnapshotError::HeldBack(held_back),
                "{version}"
            );
        }
    }
}

#[test]
fn what_the_rules_refuse_is_rejected_with_all_that_builds_on_it() {
    for version in all_versions() {
        let mut room = room(&version);
        let stranger = user_id!("@stranger:example.org");
        // The stranger is not in the room, and makes themselves powerful.
        let levels = json!({"users": {stranger.as_str(): 50}});
        room.put(stranger, "m.room.power_levels", "", levels);
        room.put_member(user_id!("@late:example.org"), "join");
        let told = all(&room);
        let error = judge(&version, &told);
        let judged = error.unwrap();
        let rejected: Vec<&Event> = told
            .iter()
            .zip(&judged.verdicts)
            .filter(|(_, verdict)| matches!(verdict, Verdict::Rejected(_) | Verdict::Incomplete))
            .map(|(found, _)| found.event)
            .collect();
        let has = |sender: &str| rejected.iter().any(|event| event.sender == sender);
        assert!(has("@stranger:example.org"), "{version}");
        assert!(has("@late:example.org"), "{version}");
    }
}

#[test]
fn what_we_rejected_before_stays_rejected() {
    for version in versions(3..=12) {
        let room = room(&version);
        let mut told = all(&room);
        for found in &mut told {
            if found.event.is("m.room.join_rules", "") {
                found.standing = Standing::Rejected;
            }
        }
        let judged = judge(&version, &told).unwrap();
        let guest = told
            .iter()
            .position(|found| found.event.sender == "@guest:example.org");
        let verdict = &judged.verdicts[guest.unwrap()];
        assert!(matches!(verdict, Verdict::Rejected(_)), "{verdict:?}");
    }
}

#[test]
fn two_events_at_one_place_are_no_state() {
    let version = RoomVersionId::V11;
    let mut room = room(&version);
    let topics = ["one", "two"].map(|topic| {
        let content = json!({"topic": topic});
        room.event(creator(), "m.room.topic", Some(""), content)
    });
    for topic in topics {
        room.keep(topic);
    }
    let told = all(&room);
    assert!(matches!(
        judge(&version, &told).unwrap_err(),
        SnapshotError::Twice { event_type, .. } if event_type == "m.room.topic"
    ));
}

#[test]
fn events_that_vouch_for_each_other_in_a_circle_are_incomplete() {
    // Only where ids are not hashes can such a circle be made.
    let version = RoomVersionId::V1;
    let room = room(&version);
    let mut topic = room.event(creator(), "m.room.topic", Some(""), json!({}));
    let mut name = room.event(creator(), "m.room.name", Some(""), json!({}));
    topic.auth_events.push(name.event_id.clone());
    name.auth_events.push(topic.event_id.clone());
    let mut told = all(&room);
    for event in [&topic, &name] {
        told.push(Told {
            event,
            in_state: true,
            standing: Standing::New,
        });
    }
    let judged = judge(&version, &told).unwrap();
    assert_eq!(
        judged.verdicts[told.len() - 2..],
        [Verdict::Incomplete, Verdict::Incomplete]
    );
}
