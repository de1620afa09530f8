//! Events: how they are made, read, hashed, signed and redacted in every room version.
//!
//! [`create`] makes our own, [`parse`] takes what other servers send, [`from_stored`] reads back what either
//! of them gave. The JSON of an event is kept as it was signed; the fields beside it are what the server
//! itself needs of it.

use std::{fmt, marker::PhantomData};

use ruma::{
    EventId, OwnedEventId, OwnedRoomId, OwnedUserId, RoomVersionId, events::TimelineEventType,
    room_version_rules::RoomVersionRules,
};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue as RawJsonValue;

mod create;
mod parse;
mod policy;
mod redact;
mod sign;
mod verify;

pub use create::{NewEvent, create};
pub use parse::parse;
pub use policy::{POLICY, POLICY_KEY_ID, PolicyServer, is_exempt_from_policy};
pub use redact::redact;
pub use sign::add_signature;
pub use verify::{PublicKeys, Verified, VerifyError, required_servers, signing_keys, verify};

use crate::json::JsonError;

/// The canonical JSON of a PDU, its signatures included, has at most this many bytes.
pub const EVENT_BYTES_MAX: usize = 65_535;
pub const PREV_EVENTS_MAX: usize = 20;
pub const AUTH_EVENTS_MAX: usize = 10;

#[derive(Debug, Clone)]
pub struct Event {
    pub event_id: OwnedEventId,
    /// Of a create event from room version 12 on: derived, as its JSON has none.
    pub room_id: OwnedRoomId,
    pub sender: OwnedUserId,
    pub event_type: TimelineEventType,
    pub state_key: Option<String>,
    pub content: Box<RawJsonValue>,
    pub origin_server_ts: u64,
    pub depth: u64,
    pub prev_events: Vec<OwnedEventId>,
    pub auth_events: Vec<OwnedEventId>,
    /// Only of an `m.room.redaction`; from room version 11 on it is read from the content.
    pub redacts: Option<OwnedEventId>,
    /// Canonical JSON of the whole signed PDU without `unsigned`; in room versions 1 and 2 the event id is
    /// in it.
    pub json: Box<str>,
    /// ruma's event types cannot lend their name.
    type_name: Box<str>,
}

impl Event {
    pub fn type_str(&self) -> &str {
        &self.type_name
    }

    pub fn is_state(&self) -> bool {
        self.state_key.is_some()
    }

    /// Whether this is the state event of that type and key.
    pub fn is(&self, event_type: &str, state_key: &str) -> bool {
        self.state_key.as_deref() == Some(state_key) && self.type_str() == event_type
    }
}

#[derive(Debug, thiserror::Error)]
pub enum EventError {
    #[error("room version `{0}` is not known")]
    UnknownRoomVersion(RoomVersionId),
    #[error(transparent)]
    Json(#[from] JsonError),
    #[error("key `{key}` is missing")]
    Missing { key: &'static str },
    #[error("key `{key}` must be {expected}")]
    WrongType {
        key: &'static str,
        expected: &'static str,
    },
    #[error("key `{key}` is not valid: {reason}")]
    Invalid { key: &'static str, reason: String },
    #[error("key `{key}` is longer than 255 bytes")]
    TooLong { key: &'static str },
    #[error("key `{key}` has more than {limit} entries")]
    TooMany { key: &'static str, limit: usize },
    #[error("the event has {bytes} bytes, more than {EVENT_BYTES_MAX}")]
    TooLarge { bytes: usize },
    /// What was stored as an event cannot be read as one.
    #[error("the stored event cannot be read")]
    Stored(#[source] serde_json::Error),
}

/// Reads an event that [`create`] or [`parse`] gave before: nothing is hashed or checked again.
pub fn from_stored(
    json: &str,
    event_id: OwnedEventId,
    version: &RoomVersionId,
) -> Result<Event, EventError> {
    let rules = rules_of(version)?;
    let stored: StoredEvent<'_> = serde_json::from_str(json).map_err(EventError::Stored)?;
    let room_id = match stored.room_id {
        Some(room_id) => room_id,
        None => derived_room_id(&event_id)
            .map_err(|error| EventError::Stored(serde_json::Error::custom(error)))?,
    };
    let redacts = redacts_of(
        &stored.event_type,
        stored.redacts.map(RawJsonValue::get),
        stored.content.get(),
        &rules,
    );
    Ok(Event {
        event_id,
        room_id,
        sender: stored.sender,
        type_name: stored.event_type.to_string().into(),
        event_type: stored.event_type,
        state_key: stored.state_key,
        content: stored.content.to_owned(),
        origin_server_ts: stored.origin_server_ts,
        depth: stored.depth,
        prev_events: stored.prev_events.0,
        auth_events: stored.auth_events.0,
        redacts,
        json: json.into(),
    })
}

pub(crate) fn rules_of(version: &RoomVersionId) -> Result<RoomVersionRules, EventError> {
    version
        .rules()
        .ok_or_else(|| EventError::UnknownRoomVersion(version.clone()))
}

/// From room version 12 on a room is named after its create event.
pub(crate) fn derived_room_id(
    create_event_id: &EventId,
) -> Result<OwnedRoomId, ruma::IdParseError> {
    let hash = create_event_id.as_str().trim_start_matches('$');
    OwnedRoomId::try_from(format!("!{hash}"))
}

/// Where the id of the redacted event stands depends on the room version. What is not an event id redacts
/// nothing; that is no reason to refuse the event.
fn redacts_of(
    event_type: &TimelineEventType,
    top_level: Option<&str>,
    content: &str,
    rules: &RoomVersionRules,
) -> Option<OwnedEventId> {
    #[derive(Deserialize)]
    struct Content {
        redacts: OwnedEventId,
    }
    if *event_type != TimelineEventType::RoomRedaction {
        return None;
    }
    if rules.redaction.content_field_redacts {
        let content: Content = serde_json::from_str(content).ok()?;
        Some(content.redacts)
    } else {
        serde_json::from_str(top_level?).ok()
    }
}

#[derive(Deserialize)]
struct StoredEvent<'a> {
    room_id: Option<OwnedRoomId>,
    sender: OwnedUserId,
    #[serde(rename = "type")]
    event_type: TimelineEventType,
    state_key: Option<String>,
    #[serde(borrow)]
    content: &'a RawJsonValue,
    origin_server_ts: u64,
    depth: u64,
    prev_events: References,
    auth_events: References,
    #[serde(borrow)]
    redacts: Option<&'a RawJsonValue>,
}

/// Event ids; room versions 1 and 2 write each as a pair with its hashes.
struct References(Vec<OwnedEventId>);

impl<'de> Deserialize<'de> for References {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let references: Vec<Reference> = Vec::deserialize(deserializer)?;
        Ok(References(
            references
                .into_iter()
                .map(|reference| reference.0)
                .collect(),
        ))
    }
}

struct Reference(OwnedEventId);

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReferenceVisitor(PhantomData))
    }
}

struct ReferenceVisitor<'de>(PhantomData<&'de ()>);

impl<'de> Visitor<'de> for ReferenceVisitor<'de> {
    type Value = Reference;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event id, or a pair of an event id and its hashes")
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Reference, E> {
        EventId::parse(value).map(Reference).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Reference, A::Error> {
        let event_id: OwnedEventId = seq
            .next_element()?
            .ok_or_else(|| A::Error::custom("an event id is missing"))?;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Reference(event_id))
    }
}

#[cfg(test)]
mod tests;
