//! The body of a transaction: whatever another server sends, it is read or refused, and each of its
//! PDUs by itself, in every room version.
#![no_main]

use libfuzzer_sys::fuzz_target;
use myelin_core::{event, transaction};
use ruma::RoomVersionId;

fuzz_target!(|body: &[u8]| {
    let Ok(sent) = transaction::parse(body) else {
        return;
    };
    assert!(sent.pdus.len() <= transaction::PDUS_MAX);
    assert!(sent.edus.len() <= transaction::EDUS_MAX);
    for pdu in &sent.pdus {
        let id = transaction::claimed_id(pdu);
        assert!(id.is_none_or(|id| id.len() <= 255));
        let Some(room_id) = transaction::room_of(pdu) else {
            continue;
        };
        for number in 1..=12 {
            let version = RoomVersionId::try_from(number.to_string()).expect("1 to 12");
            let Ok(event) = event::parse(pdu.get().as_bytes(), &version) else {
                continue;
            };
            assert_eq!(event.room_id, room_id);
            assert!(event.json.len() <= event::EVENT_BYTES_MAX);
            // What an identity server vouches for needs no signature of another server.
            let is_vouched_for = event.content.get().contains("third_party_invite");
            let verified = event::verify(&event, &version, &event::PublicKeys::new());
            assert!(is_vouched_for || verified.is_err());
        }
    }
});
