//! What is told of a room with an invitation, or to who has knocked: checked, and cut down to what
//! clients are shown.

use myelin_core::{event, json};
use ruma::{CanonicalJsonObject, CanonicalJsonValue, RoomId, RoomVersionId, UserId};
use serde_json::value::RawValue;

use super::KEYS_WITHIN;
use crate::{PduError, Rooms, membership::resident::HandshakeError};

const CREATE: &str = "m.room.create";
/// Events that one may tell; more are left out.
const EVENTS_MAX: usize = 50;
/// The most bytes of what clients are shown of it; what does not fit is left out.
const BYTES_MAX: usize = 128 * 1024;

/// What a user is told of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteState {
    /// A JSON array of stripped state.
    pub json: String,
}

impl Rooms {
    /// Checks what another server tells of a room. From room version 12 on all of it must be events
    /// of the room, its create event among them; before, what is no event in any form is left out
    /// alone, so that nobody's invitation is lost, and nobody's sync breaks (CVE-2024-52815).
    pub(crate) async fn invite_state(
        &self,
        room: (&RoomVersionId, &RoomId),
        told: &[Box<RawValue>],
        user: &UserId,
    ) -> Result<InviteState, HandshakeError> {
        let told = &told[..told.len().min(EVENTS_MAX)];
        let told = if is_strict(room.0) {
            self.verify_told(room, told).await?
        } else {
            told.iter().map(|told| told.get().into()).collect()
        };
        let mut json = String::from("[");
        for stripped in told.iter().filter_map(|told| strip(told, user)) {
            if json.len() + stripped.len() + 2 > BYTES_MAX {
                continue;
            }
            if json.len() > 1 {
                json.push(',');
            }
            json.push_str(&stripped);
        }
        json.push(']');
        Ok(InviteState { json })
    }

    /// The events that are told, verified. Those of servers whose keys cannot be had are left out:
    /// that one of them is gone must not keep others from inviting to the room. Only the create
    /// event stays, whose hash is the room's id, so that it is no other.
    async fn verify_told(
        &self,
        (version, room_id): (&RoomVersionId, &RoomId),
        told: &[Box<RawValue>],
    ) -> Result<Vec<Box<str>>, HandshakeError> {
        let pdus: Vec<&RawValue> = told.iter().map(AsRef::as_ref).collect();
        let verified = self.verify(&pdus, (version, room_id), KEYS_WITHIN).await;
        let mut events = Vec::with_capacity(told.len());
        for (pdu, verified) in pdus.into_iter().zip(verified) {
            match verified {
                Ok(event) => events.push(event),
                Err(PduError::Keys(_)) => {
                    let event = event::parse(pdu.get().as_bytes(), version).ok();
                    events.extend(event.filter(|event| event.is(CREATE, "")));
                }
                Err(_) => {
                    let reason = "has something that is no event of the room";
                    return Err(HandshakeError::InviteState(reason));
                }
            }
        }
        if !events.iter().any(|event| event.is(CREATE, "")) {
            let reason = "lacks the `m.room.create` event";
            return Err(HandshakeError::InviteState(reason));
        }
        Ok(events.into_iter().map(|event| event.json).collect())
    }
}

/// Whether the room's id says what its create event is.
fn is_strict(version: &RoomVersionId) -> bool {
    let rules = version.rules();
    rules.is_some_and(|rules| rules.authorization.room_create_event_id_as_room_id)
}

/// The part of an event that clients are shown; None for what is no state event, and for the user's
/// own membership, which is told apart.
fn strip(told: &str, user: &UserId) -> Option<String> {
    let mut object = json::parse_object(told.as_bytes()).ok()?;
    let mut stripped = CanonicalJsonObject::new();
    for key in ["type", "state_key", "sender", "content"] {
        let value = object.remove(key)?;
        let fits = match (key, &value) {
            ("content", CanonicalJsonValue::Object(_)) => true,
            ("sender", CanonicalJsonValue::String(id)) => UserId::parse(id.as_str()).is_ok(),
            ("type" | "state_key", CanonicalJsonValue::String(text)) => text.len() <= 255,
            _ => false,
        };
        if !fits {
            return None;
        }
        stripped.insert(key.to_owned(), value);
    }
    let text = |key: &str| stripped.get(key).and_then(CanonicalJsonValue::as_str);
    let is_own = text("type") == Some("m.room.member") && text("state_key") == Some(user.as_str());
    (!is_own).then(|| json::to_canonical(&stripped))
}
