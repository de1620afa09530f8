//! The signature of a policy server (spec: "Policy Servers").

use std::collections::BTreeMap;

use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, OwnedServerName, RoomVersionId, SigningKeyAlgorithm,
    signatures::verify_canonical_json_bytes,
};
use serde::Deserialize;
use serde_json::Value;

use super::{Event, EventError, create::check_size, redact, sign::DEPTH_MAX};
use crate::{
    foreign_base64::decode,
    json::{parse_object_within, to_canonical},
};

/// The type of the state event that names a room's policy server.
pub const POLICY: &str = "m.room.policy";
/// The id under which a policy server's signature stands, whatever key the room names.
pub const POLICY_KEY_ID: &str = "ed25519:policy_server";

/// A policy server as a room names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PolicyServer {
    /// Its name.
    pub via: OwnedServerName,
    /// Its public key; None: the event has something else in its place, by which nothing is signed.
    key: Option<[u8; 32]>,
}

#[derive(Deserialize)]
struct Content {
    via: OwnedServerName,
    public_keys: BTreeMap<String, Value>,
}

impl PolicyServer {
    /// The one of this name with this key, in base64.
    pub fn new(via: OwnedServerName, key: &str) -> Self {
        let key = decode(key).and_then(|key| key.try_into().ok());
        Self { via, key }
    }

    /// The one that an `m.room.policy` event names; None if it names none as it must.
    pub fn of_event(event: &Event) -> Option<Self> {
        let Content { via, public_keys } = serde_json::from_str(event.content.get()).ok()?;
        let key = public_keys.get("ed25519")?.as_str()?;
        Some(Self::new(via, key))
    }

    /// Whether the event has a signature of this policy server that holds.
    pub fn has_signed(&self, event: &Event, version: &RoomVersionId) -> Result<bool, EventError> {
        let mut signed = parse_object_within(redact(&event.json, version)?.as_bytes(), DEPTH_MAX)?;
        signed.remove("unsigned");
        let signatures = signed.remove("signatures");
        let signature = signatures
            .as_ref()
            .and_then(|all| all.as_object()?.get(self.via.as_str()))
            .and_then(|own| own.as_object()?.get(POLICY_KEY_ID))
            .and_then(CanonicalJsonValue::as_str);
        let (Some(signature), Some(key)) = (signature.and_then(decode), &self.key) else {
            return Ok(false);
        };
        let signed = to_canonical(&signed);
        let algorithm = SigningKeyAlgorithm::Ed25519;
        let verified = verify_canonical_json_bytes(&algorithm, key, &signature, signed.as_bytes());
        Ok(verified.is_ok())
    }

    /// The signature in what the policy server has answered with.
    pub fn signature_in<'a>(&self, answer: &'a Value) -> Option<&'a str> {
        answer[self.via.as_str()][POLICY_KEY_ID].as_str()
    }

    /// The event with a signature of the policy server in the place of one that it had. Other
    /// signatures stay: the policy server may be where the event is from.
    pub fn with_signature(&self, event: &Event, signature: &str) -> Result<Event, EventError> {
        let wrong = || EventError::WrongType {
            key: "signatures",
            expected: "an object of objects of strings",
        };
        let mut object = parse_object_within(event.json.as_bytes(), DEPTH_MAX)?;
        let empty = || CanonicalJsonValue::Object(CanonicalJsonObject::new());
        let all = object
            .entry("signatures".to_owned())
            .or_insert_with(empty)
            .as_object_mut()
            .ok_or_else(wrong)?;
        let own = all
            .entry(self.via.to_string())
            .or_insert_with(empty)
            .as_object_mut()
            .ok_or_else(wrong)?;
        own.insert(POLICY_KEY_ID.to_owned(), signature.to_owned().into());
        let json = to_canonical(&object);
        check_size(json.len())?;
        Ok(Event {
            json: json.into(),
            ..event.clone()
        })
    }
}

/// Whether a policy server has no say in an event: without this, a room could not get rid of one
/// that does not answer any more.
pub fn is_exempt_from_policy(event_type: &str, state_key: Option<&str>) -> bool {
    event_type == POLICY && state_key == Some("")
}

#[cfg(test)]
mod tests;
