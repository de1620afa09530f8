//! A letter for the room version (`a` is 1, `l` is 12) and a PDU: what is accepted can be stored, read back,
//! redacted and shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use myelin_core::{auth, client_event::write_client_event, event};
use ruma::RoomVersionId;

fuzz_target!(|input: &[u8]| {
    let Some((letter, pdu)) = input.split_first() else {
        return;
    };
    let number = letter.wrapping_sub(b'a') % 12 + 1;
    let version = RoomVersionId::try_from(number.to_string()).expect("the versions 1 to 12");
    match event::parse(pdu, &version) {
        Ok(event) => check(&event, &version),
        Err(error) => assert!(error.to_string().len() < 1000),
    }
});

fn check(event: &event::Event, version: &RoomVersionId) {
    let shown = format!("{event:?}");
    let again = event::parse(event.json.as_bytes(), version).expect("it was accepted before");
    assert_eq!(format!("{again:?}"), shown);
    let stored = event::from_stored(&event.json, event.event_id.clone(), version)
        .expect("what is accepted can be stored");
    assert_eq!(format!("{stored:?}"), shown);

    let redacted = event::redact(&event.json, version).expect("any event can be redacted");
    let redacted_event = event::parse(redacted.as_bytes(), version).expect("it is still an event");
    assert_eq!(redacted_event.event_id, event.event_id);
    assert_eq!(event::redact(&redacted, version).expect("again"), redacted);

    let mut client = String::new();
    let room_id = Some(event.room_id.as_str());
    write_client_event(
        &mut client,
        event.event_id.as_str(),
        room_id,
        &event.json,
        Some("{}"),
    )
    .expect("any event can be shown");
    let client: serde_json::Value = serde_json::from_str(&client).expect("as JSON");
    assert_eq!(client["event_id"], event.event_id.as_str());

    let _ = auth::check(version, event, |_, _| None);
    let _ = event::required_servers(event, version);
    let _ = event::verify(event, version, &event::PublicKeys::new());
}
