//! A letter for the room version, a number for where the answer is cut, and the answer to
//! `send_join`: it is read the same wherever it is cut, and what holds of it is judged.
#![no_main]

use libfuzzer_sys::fuzz_target;
use myelin_core::{
    event::{self, Event},
    snapshot::{AnswerError, AnswerReader, Part, Place, Standing, Told, Verdict, judge},
};
use ruma::RoomVersionId;

fuzz_target!(|input: &[u8]| {
    let [letter, cut, answer @ ..] = input else {
        return;
    };
    let number = letter.wrapping_sub(b'a') % 12 + 1;
    let version = RoomVersionId::try_from(number.to_string()).expect("the versions 1 to 12");
    let whole = read(answer, answer.len().max(1));
    assert_eq!(read(answer, usize::from(*cut) + 1), whole);
    let Ok(parts) = whole else {
        return;
    };
    let mut events: Vec<(Event, bool)> = Vec::new();
    for part in parts {
        let Part::Pdu(place, json) = part else {
            continue;
        };
        if let Ok(event) = event::parse(&json, &version) {
            events.push((event, place == Place::State));
        }
    }
    let told: Vec<Told<'_>> = events
        .iter()
        .map(|(event, in_state)| Told {
            event,
            in_state: *in_state,
            standing: Standing::New,
        })
        .collect();
    if let Ok(judged) = judge(&version, &told) {
        assert_eq!(judged.verdicts.len(), told.len());
        for index in judged.state {
            assert_eq!(judged.verdicts[index], Verdict::Accepted);
            assert!(told[index].event.is_state());
        }
    }
});

fn read(answer: &[u8], piece: usize) -> Result<Vec<Part>, AnswerError> {
    let mut reader = AnswerReader::default();
    let mut parts = Vec::new();
    for bytes in answer.chunks(piece) {
        reader.feed(bytes, &mut parts)?;
    }
    reader.finish().map(|()| parts)
}
