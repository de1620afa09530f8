//! Signing what another server has made.

use ruma::{CanonicalJsonObject, CanonicalJsonValue, RoomVersionId};

use super::{Event, EventError, redact};
use crate::{
    json::{parse_object_within, to_canonical},
    server::Server,
};

/// Events nest one level deeper than their content.
pub(super) const DEPTH_MAX: usize = crate::json::DEPTH_MAX + 1;

/// The event with the server's signature beside those that it has.
pub fn add_signature(
    event: &Event,
    version: &RoomVersionId,
    server: &Server,
) -> Result<Event, EventError> {
    let mut signed = parse_object_within(redact(&event.json, version)?.as_bytes(), DEPTH_MAX)?;
    signed.remove("signatures");
    signed.remove("unsigned");
    let signature = server.key.sign_base64(to_canonical(&signed).as_bytes());
    let mut object = parse_object_within(event.json.as_bytes(), DEPTH_MAX)?;
    let empty = || CanonicalJsonValue::Object(CanonicalJsonObject::new());
    let wrong = || EventError::WrongType {
        key: "signatures",
        expected: "an object of objects of strings",
    };
    let signatures = object
        .entry("signatures".to_owned())
        .or_insert_with(empty)
        .as_object_mut()
        .ok_or_else(wrong)?;
    let own = signatures
        .entry(server.name.to_string())
        .or_insert_with(empty)
        .as_object_mut()
        .ok_or_else(wrong)?;
    // A policy server of this name may have signed before.
    own.insert(server.key.key_id().to_owned(), signature.into());
    Ok(Event {
        json: to_canonical(&object).into(),
        ..event.clone()
    })
}
