//! Reading events that other servers made: everything is checked, and every refusal names the key.

use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, EventId, OwnedEventId, OwnedRoomId, OwnedUserId,
    RoomId, RoomVersionId, UserId,
    events::TimelineEventType,
    room_version_rules::{EventsReferenceFormatVersion, RoomVersionRules},
    signatures::reference_hash,
};
use serde_json::value::RawValue as RawJsonValue;

use super::{
    AUTH_EVENTS_MAX, Event, EventError, PREV_EVENTS_MAX,
    create::{check_count, check_length, check_size},
    derived_room_id, redacts_of, rules_of,
};
use crate::json::{DEPTH_MAX, parse_object_within, to_canonical};

/// Reads a PDU of that room version and computes its id. Hashes and signatures are not verified here, see
/// [`super::verify`].
///
/// Integers out of range and fractions are refused in every room version. Only versions 6 and up demand it,
/// but what cannot be written as canonical JSON has no hash that servers agree on.
pub fn parse(json: &[u8], version: &RoomVersionId) -> Result<Event, EventError> {
    let rules = rules_of(version)?;
    let object = parse_object_within(json, DEPTH_MAX + 1)?;
    from_object(object, &rules)
}

fn from_object(
    mut object: CanonicalJsonObject,
    rules: &RoomVersionRules,
) -> Result<Event, EventError> {
    // What stands in `unsigned` is anybody's claim: it counts for the size and is then forgotten.
    let size_with_unsigned = to_canonical(&object).len();
    check_size(size_with_unsigned)?;
    object.remove("unsigned");

    let type_name = required_string(&object, "type")?;
    let event_type = TimelineEventType::from(type_name);
    let type_name = type_name.into();
    let sender = user_id(required_string(&object, "sender")?, "sender")?;
    let state_key = optional_string(&object, "state_key")?.map(ToOwned::to_owned);
    let origin_server_ts = natural(&object, "origin_server_ts")?;
    let depth = natural(&object, "depth")?;
    let content = to_canonical(required_object(&object, "content", "content")?);
    let hashes = required_object(&object, "hashes", "hashes")?;
    required_string_at(hashes, "sha256", "hashes.sha256")?;
    check_signatures(required_object(&object, "signatures", "signatures")?)?;
    let format = rules.events_reference_format;
    let prev_events = references(&object, "prev_events", PREV_EVENTS_MAX, format)?;
    let auth_events = references(&object, "auth_events", AUTH_EVENTS_MAX, format)?;
    let event_id = event_id(&object, rules)?;
    let room_id = room_id(&object, &event_type, &event_id, rules)?;
    if !rules.event_format.allow_room_create_in_auth_events {
        check_create_is_not_referred_to(&auth_events, &room_id)?;
    }
    let redacts = redacts_at_top(&object, &event_type, &content, rules);
    let json = to_canonical(&object);
    Ok(Event {
        event_id,
        room_id,
        sender,
        event_type,
        type_name,
        state_key,
        content: RawJsonValue::from_string(content).map_err(EventError::Stored)?,
        origin_server_ts,
        depth,
        prev_events,
        auth_events,
        redacts,
        json: json.into(),
    })
}

fn event_id(
    object: &CanonicalJsonObject,
    rules: &RoomVersionRules,
) -> Result<OwnedEventId, EventError> {
    if rules.event_format.require_event_id {
        let text = required_string(object, "event_id")?;
        return parse_event_id(text, "event_id");
    }
    let hash = reference_hash(object, rules).map_err(|error| EventError::Invalid {
        key: "event",
        reason: error.to_string(),
    })?;
    parse_event_id(&format!("${hash}"), "event_id")
}

fn room_id(
    object: &CanonicalJsonObject,
    event_type: &TimelineEventType,
    event_id: &EventId,
    rules: &RoomVersionRules,
) -> Result<OwnedRoomId, EventError> {
    let invalid = |error: ruma::IdParseError| EventError::Invalid {
        key: "room_id",
        reason: error.to_string(),
    };
    match optional_string(object, "room_id")? {
        Some(text) => RoomId::parse(text).map_err(invalid),
        None if *event_type == TimelineEventType::RoomCreate
            && !rules.event_format.require_room_create_room_id =>
        {
            derived_room_id(event_id).map_err(invalid)
        }
        None => Err(EventError::Missing { key: "room_id" }),
    }
}

fn check_create_is_not_referred_to(
    auth_events: &[OwnedEventId],
    room_id: &RoomId,
) -> Result<(), EventError> {
    let names_room = |id: &OwnedEventId| id.as_str().get(1..) == room_id.as_str().get(1..);
    if auth_events.iter().any(names_room) {
        return Err(EventError::Invalid {
            key: "auth_events",
            reason: "the create event is implied and must not be listed".to_owned(),
        });
    }
    Ok(())
}

fn check_signatures(signatures: &CanonicalJsonObject) -> Result<(), EventError> {
    let is_shaped = |value: &CanonicalJsonValue| {
        value
            .as_object()
            .is_some_and(|keys| keys.values().all(CanonicalJsonValue::is_string))
    };
    if !signatures.values().all(is_shaped) {
        return Err(EventError::WrongType {
            key: "signatures",
            expected: "an object of objects of strings",
        });
    }
    Ok(())
}

fn references(
    object: &CanonicalJsonObject,
    key: &'static str,
    limit: usize,
    format: EventsReferenceFormatVersion,
) -> Result<Vec<OwnedEventId>, EventError> {
    let expected = match format {
        EventsReferenceFormatVersion::V1 => "an array of pairs of an event id and its hashes",
        _ => "an array of event ids",
    };
    let wrong = EventError::WrongType { key, expected };
    let values = match object.get(key) {
        Some(CanonicalJsonValue::Array(values)) => values,
        Some(_) => return Err(wrong),
        None => return Err(EventError::Missing { key }),
    };
    check_count(key, values.len(), limit)?;
    let mut ids = Vec::with_capacity(values.len());
    for value in values {
        let text = match (format, value) {
            (EventsReferenceFormatVersion::V1, CanonicalJsonValue::Array(pair)) => {
                match &pair[..] {
                    [
                        CanonicalJsonValue::String(text),
                        CanonicalJsonValue::Object(_),
                    ] => text,
                    _ => return Err(wrong),
                }
            }
            (EventsReferenceFormatVersion::V1, _) => return Err(wrong),
            (_, CanonicalJsonValue::String(text)) => text,
            _ => return Err(wrong),
        };
        ids.push(parse_event_id(text, key)?);
    }
    Ok(ids)
}

fn redacts_at_top(
    object: &CanonicalJsonObject,
    event_type: &TimelineEventType,
    content: &str,
    rules: &RoomVersionRules,
) -> Option<OwnedEventId> {
    let top_level = object.get("redacts").map(ToString::to_string);
    redacts_of(event_type, top_level.as_deref(), content, rules)
}

fn parse_event_id(text: &str, key: &'static str) -> Result<OwnedEventId, EventError> {
    check_length(key, text)?;
    EventId::parse(text).map_err(|error| EventError::Invalid {
        key,
        reason: error.to_string(),
    })
}

fn user_id(text: &str, key: &'static str) -> Result<OwnedUserId, EventError> {
    UserId::parse(text).map_err(|error| EventError::Invalid {
        key,
        reason: error.to_string(),
    })
}

fn natural(object: &CanonicalJsonObject, key: &'static str) -> Result<u64, EventError> {
    let value = object.get(key).ok_or(EventError::Missing { key })?;
    let number = value.as_integer().map(i64::from);
    let natural = number.and_then(|number| u64::try_from(number).ok());
    natural.ok_or(EventError::WrongType {
        key,
        expected: "an integer from 0 on",
    })
}

fn required_string<'a>(
    object: &'a CanonicalJsonObject,
    key: &'static str,
) -> Result<&'a str, EventError> {
    optional_string(object, key)?.ok_or(EventError::Missing { key })
}

/// Every string that the server itself reads from an event is bounded to 255 bytes.
fn optional_string<'a>(
    object: &'a CanonicalJsonObject,
    key: &'static str,
) -> Result<Option<&'a str>, EventError> {
    match object.get(key) {
        None => Ok(None),
        Some(CanonicalJsonValue::String(text)) => {
            check_length(key, text)?;
            Ok(Some(text))
        }
        Some(_) => Err(EventError::WrongType {
            key,
            expected: "a string",
        }),
    }
}

fn required_string_at<'a>(
    object: &'a CanonicalJsonObject,
    key: &str,
    path: &'static str,
) -> Result<&'a str, EventError> {
    match object.get(key) {
        None => Err(EventError::Missing { key: path }),
        Some(CanonicalJsonValue::String(text)) => Ok(text),
        Some(_) => Err(EventError::WrongType {
            key: path,
            expected: "a string",
        }),
    }
}

fn required_object<'a>(
    object: &'a CanonicalJsonObject,
    key: &str,
    path: &'static str,
) -> Result<&'a CanonicalJsonObject, EventError> {
    match object.get(key) {
        None => Err(EventError::Missing { key: path }),
        Some(CanonicalJsonValue::Object(inner)) => Ok(inner),
        Some(_) => Err(EventError::WrongType {
            key: path,
            expected: "an object",
        }),
    }
}
