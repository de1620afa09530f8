//! What holds for any event.

use proptest::prelude::*;

use super::{
    Event, NewEvent, create, creator, from_stored, keys, parse, redact, references, verify,
};
use crate::{
    json::tests::any_object,
    test_support::{TestRoom, all_versions},
};
use ruma::{CanonicalJsonObject, RoomVersionId, signatures::Verified};

fn any_version() -> impl Strategy<Value = RoomVersionId> {
    prop::sample::select(all_versions())
}

fn any_type() -> impl Strategy<Value = String> {
    let known = [
        "m.room.member",
        "m.room.power_levels",
        "m.room.redaction",
        "m.room.aliases",
    ];
    prop_oneof![
        prop::sample::select(known.to_vec()).prop_map(ToOwned::to_owned),
        "[^\0]{0,40}",
    ]
}

fn event(
    version: &RoomVersionId,
    event_type: &str,
    state_key: Option<&str>,
    content: CanonicalJsonObject,
) -> (Event, TestRoom) {
    let room = TestRoom::new(version);
    let refs = references(version);
    let new = NewEvent {
        room_id: Some(&room.room_id),
        sender: creator(),
        event_type,
        state_key,
        content,
        redacts: None,
        sticky_ms: None,
        prev_events: &refs,
        auth_events: &refs,
        depth: 3,
        origin_server_ts: 4,
    };
    (create(new, version, &room.server).unwrap(), room)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_created_can_be_parsed_stored_verified_and_redacted(
        version in any_version(),
        event_type in any_type(),
        state_key in prop::option::of("[^\0]{0,40}"),
        mut content in any_object(),
    ) {
        prop_assume!(event_type != "m.room.create");
        if event_type == "m.room.member" {
            // Without a membership it is not known who must have signed.
            content.insert("membership".to_owned(), "leave".into());
        }
        let (event, room) = event(&version, &event_type, state_key.as_deref(), content);
        let parsed = parse(event.json.as_bytes(), &version).unwrap();
        prop_assert_eq!(format!("{parsed:?}"), format!("{event:?}"));
        let stored = from_stored(&event.json, event.event_id.clone(), &version).unwrap();
        prop_assert_eq!(format!("{stored:?}"), format!("{event:?}"));

        // The id and the signatures cover what redaction leaves.
        let redacted = redact(&event.json, &version).unwrap();
        let again = parse(redacted.as_bytes(), &version).unwrap();
        prop_assert_eq!(&again.event_id, &event.event_id);
        prop_assert!(verify(&again, &version, &keys(&room.server)).is_ok());
        prop_assert_eq!(redact(&redacted, &version).unwrap(), redacted);
        prop_assert_eq!(verify(&event, &version, &keys(&room.server)).unwrap(), Verified::All);
    }

    #[test]
    fn any_object_gives_an_answer(version in any_version(), object in any_object()) {
        let _ = parse(crate::json::to_canonical(&object).as_bytes(), &version);
    }
}
