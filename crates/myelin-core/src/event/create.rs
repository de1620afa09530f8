//! Making our own events.
//!
//! The canonical JSON is written directly, its keys in order: the content is serialised once in full and once
//! redacted, and the three texts an event needs (hashed, signed, sent) differ only in what stands around it.
//! The bytes that are signed are also the bytes whose hash is the event id.

use std::fmt::Write;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, EventId, Int, OwnedEventId, RoomId, RoomVersionId,
    UserId,
    canonical_json::redact_content_in_place,
    events::TimelineEventType,
    room_version_rules::{EventIdFormatVersion, EventsReferenceFormatVersion, RoomVersionRules},
};
use serde_json::value::RawValue as RawJsonValue;
use sha2::{Digest, Sha256};

use super::{
    AUTH_EVENTS_MAX, EVENT_BYTES_MAX, Event, EventError, PREV_EVENTS_MAX, derived_room_id,
    redacts_of, rules_of,
};
use crate::{
    ids::ID_BYTES_MAX,
    json::{to_canonical, write_string},
    server::Server,
    sticky::STICKY,
};

/// What makes an event; the rest follows from the room version and the server.
pub struct NewEvent<'a> {
    /// None for the create event from room version 12 on, and only there.
    pub room_id: Option<&'a RoomId>,
    pub sender: &'a UserId,
    pub event_type: &'a str,
    pub state_key: Option<&'a str>,
    pub content: CanonicalJsonObject,
    /// Written where the room version has it: beside the content, from version 11 on inside it.
    pub redacts: Option<&'a EventId>,
    /// For how long the event is sticky (MSC4354).
    pub sticky_ms: Option<u32>,
    pub prev_events: &'a [OwnedEventId],
    pub auth_events: &'a [OwnedEventId],
    pub depth: u64,
    pub origin_server_ts: u64,
}

/// Hashes, signs and names a new event, after the same checks of size and range that [`super::parse`] makes.
pub fn create(
    mut new: NewEvent<'_>,
    version: &RoomVersionId,
    server: &Server,
) -> Result<Event, EventError> {
    let rules = rules_of(version)?;
    check(&new, &rules)?;
    if rules.redaction.content_field_redacts
        && let Some(redacts) = new.redacts.take()
    {
        let redacts = CanonicalJsonValue::String(redacts.to_string());
        new.content.insert("redacts".to_owned(), redacts);
    }
    let content = to_canonical(&new.content);
    redact_content_in_place(&mut new.content, &rules.redaction, new.event_type);
    let content_redacted = to_canonical(&new.content);

    let draft = Draft::new(&new, &rules, server);
    let beside = Beside {
        redacts: new.redacts,
        sticky_ms: new.sticky_ms,
    };
    let hashed = draft.write(&content, None, None, beside);
    check_size(hashed.len())?;
    let hash = STANDARD_NO_PAD.encode(Sha256::digest(hashed.as_bytes()));
    let signed = draft.write(&content_redacted, Some(&hash), None, Beside::default());
    let signature = server.key.sign_base64(signed.as_bytes());
    let signature = (
        server.name.as_str(),
        server.key.key_id(),
        signature.as_str(),
    );
    let json = draft.write(&content, Some(&hash), Some(signature), beside);
    check_size(json.len())?;

    let event_id = match draft.event_id {
        Some(event_id) => event_id,
        None => event_id_of_hash(&Sha256::digest(signed.as_bytes()), &rules),
    };
    let room_id = match new.room_id {
        Some(room_id) => room_id.to_owned(),
        None => derived_room_id(&event_id).map_err(|error| EventError::Invalid {
            key: "room_id",
            reason: error.to_string(),
        })?,
    };
    let event_type = TimelineEventType::from(new.event_type);
    let redacts = match new.redacts {
        Some(redacts) if event_type == TimelineEventType::RoomRedaction => Some(redacts.to_owned()),
        _ => redacts_of(&event_type, None, &content, &rules),
    };
    Ok(Event {
        event_id,
        room_id,
        sender: new.sender.to_owned(),
        event_type,
        type_name: new.event_type.into(),
        state_key: new.state_key.map(ToOwned::to_owned),
        content: RawJsonValue::from_string(content).map_err(EventError::Stored)?,
        origin_server_ts: new.origin_server_ts,
        depth: new.depth,
        prev_events: new.prev_events.to_vec(),
        auth_events: new.auth_events.to_vec(),
        redacts,
        json: json.into(),
    })
}

fn check(new: &NewEvent<'_>, rules: &RoomVersionRules) -> Result<(), EventError> {
    check_length("type", new.event_type)?;
    check_length("sender", new.sender.as_str())?;
    check_length("state_key", new.state_key.unwrap_or_default())?;
    check_length("room_id", new.room_id.map_or("", RoomId::as_str))?;
    let is_named_by_event =
        new.event_type == "m.room.create" && !rules.event_format.require_room_create_room_id;
    match new.room_id {
        None if !is_named_by_event => return Err(EventError::Missing { key: "room_id" }),
        Some(_) if is_named_by_event => {
            return Err(EventError::Invalid {
                key: "room_id",
                reason: "this room version derives it from the event".to_owned(),
            });
        }
        _ => {}
    }
    check_count("prev_events", new.prev_events.len(), PREV_EVENTS_MAX)?;
    check_count("auth_events", new.auth_events.len(), AUTH_EVENTS_MAX)?;
    check_integer("depth", new.depth)?;
    check_integer("origin_server_ts", new.origin_server_ts)
}

pub(super) fn check_length(key: &'static str, value: &str) -> Result<(), EventError> {
    if value.len() > ID_BYTES_MAX {
        return Err(EventError::TooLong { key });
    }
    Ok(())
}

pub(super) fn check_count(key: &'static str, n: usize, limit: usize) -> Result<(), EventError> {
    if n > limit {
        return Err(EventError::TooMany { key, limit });
    }
    Ok(())
}

pub(super) fn check_size(bytes: usize) -> Result<(), EventError> {
    if bytes > EVENT_BYTES_MAX {
        return Err(EventError::TooLarge { bytes });
    }
    Ok(())
}

fn check_integer(key: &'static str, value: u64) -> Result<(), EventError> {
    match Int::try_from(value) {
        Ok(_) => Ok(()),
        Err(_) => Err(EventError::WrongType {
            key,
            expected: "an integer below 2^53",
        }),
    }
}

/// The event id of a room version 3 or later, from the SHA-256 hash of the redacted event.
pub(super) fn event_id_of_hash(hash: &[u8], rules: &RoomVersionRules) -> OwnedEventId {
    let hash = match rules.event_id_format {
        EventIdFormatVersion::V1 | EventIdFormatVersion::V2 => STANDARD_NO_PAD.encode(hash),
        _ => URL_SAFE_NO_PAD.encode(hash),
    };
    event_id_from(format!("${hash}"))
}

fn event_id_from(text: String) -> OwnedEventId {
    OwnedEventId::try_from(text)
        .expect("a sigil and base64, or letters and a server name, is an event id")
}

/// What stands beside the content and goes with a redaction.
#[derive(Clone, Copy, Default)]
struct Beside<'a> {
    redacts: Option<&'a EventId>,
    sticky_ms: Option<u32>,
}

/// The parts of an event, each already in its JSON form.
struct Draft {
    before_hashes: [String; 2],
    after_hashes: String,
    room_and_sender: String,
    tail: String,
    event_id: Option<OwnedEventId>,
}

impl Draft {
    fn new(new: &NewEvent<'_>, rules: &RoomVersionRules, server: &Server) -> Draft {
        let references = rules.events_reference_format;
        let mut before = String::with_capacity(512);
        before.push_str("{\"auth_events\":");
        write_references(&mut before, new.auth_events, references);
        before.push_str(",\"content\":");

        let mut depth = format!(",\"depth\":{}", new.depth);
        let event_id = rules
            .event_format
            .require_event_id
            .then(|| event_id_from(format!("${}:{}", server.random_letters(18), server.name)));
        if let Some(event_id) = &event_id {
            depth.push_str(",\"event_id\":");
            write_string(&mut depth, event_id.as_str());
        }

        let mut after = format!(",\"origin_server_ts\":{}", new.origin_server_ts);
        after.push_str(",\"prev_events\":");
        write_references(&mut after, new.prev_events, references);

        let mut room_and_sender = String::new();
        if let Some(room_id) = new.room_id {
            room_and_sender.push_str(",\"room_id\":");
            write_string(&mut room_and_sender, room_id.as_str());
        }
        room_and_sender.push_str(",\"sender\":");
        write_string(&mut room_and_sender, new.sender.as_str());

        let mut tail = String::new();
        if let Some(state_key) = new.state_key {
            tail.push_str(",\"state_key\":");
            write_string(&mut tail, state_key);
        }
        tail.push_str(",\"type\":");
        write_string(&mut tail, new.event_type);
        tail.push('}');

        Draft {
            before_hashes: [before, depth],
            after_hashes: after,
            room_and_sender,
            tail,
            event_id,
        }
    }

    /// The canonical JSON with what is given; the names of the keys put `hashes`, `msc4354_sticky`, `redacts`
    /// and `signatures` where they stand.
    fn write(
        &self,
        content: &str,
        hash: Option<&str>,
        signature: Option<(&str, &str, &str)>,
        beside: Beside<'_>,
    ) -> String {
        let [before, depth] = &self.before_hashes;
        let fixed = before.len() + depth.len() + self.after_hashes.len();
        let mut out = String::with_capacity(
            fixed + content.len() + self.room_and_sender.len() + self.tail.len() + 640,
        );
        out.push_str(before);
        out.push_str(content);
        out.push_str(depth);
        if let Some(hash) = hash {
            out.push_str(",\"hashes\":{\"sha256\":");
            write_string(&mut out, hash);
            out.push('}');
        }
        if let Some(sticky_ms) = beside.sticky_ms {
            // Writing to a string cannot fail.
            let _ = write!(out, ",\"{STICKY}\":{{\"duration_ms\":{sticky_ms}}}");
        }
        out.push_str(&self.after_hashes);
        if let Some(redacts) = beside.redacts {
            out.push_str(",\"redacts\":");
            write_string(&mut out, redacts.as_str());
        }
        out.push_str(&self.room_and_sender);
        if let Some((server, key_id, signature)) = signature {
            out.push_str(",\"signatures\":{");
            write_string(&mut out, server);
            out.push_str(":{");
            write_string(&mut out, key_id);
            out.push(':');
            write_string(&mut out, signature);
            out.push_str("}}");
        }
        out.push_str(&self.tail);
        out
    }
}

fn write_references(out: &mut String, ids: &[OwnedEventId], format: EventsReferenceFormatVersion) {
    out.push('[');
    for (index, id) in ids.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        match format {
            EventsReferenceFormatVersion::V1 => {
                // The hashes beside the ids of room versions 1 and 2 protect nothing, since the signature of
                // the event already covers the ids and no server checks them: they stay empty.
                out.push('[');
                write_string(out, id.as_str());
                out.push_str(",{}]");
            }
            _ => write_string(out, id.as_str()),
        }
    }
    out.push(']');
}
