//! What is told of a room with an invitation, or to who has knocked: checked, and cut down to what
//! clients are shown.

use myelin_core::json;
use ruma::{CanonicalJsonObject, CanonicalJsonValue, RoomId, RoomVersionId, UserId};
use serde_json::value::RawValue;

use super::KEYS_WITHIN;
use crate::{Rooms, membership::resident::HandshakeError};

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
        (version, room_id): (&RoomVersionId, &RoomId),
        told: &[Box<RawValue>],
        user: &UserId,
    ) -> Result<InviteState, HandshakeError> {
        let told = &told[..told.len().min(EVENTS_MAX)];
        let is_strict = version
            .rules()
            .is_some_and(|rules| rules.authorization.room_create_event_id_as_room_id);
        if is_strict {
            let pdus: Vec<&RawValue> = told.iter().map(AsRef::as_ref).collect();
            let verified = self.verify(&pdus, (version, room_id), KEYS_WITHIN).await;
            if !verified.iter().all(Result::is_ok) {
                return Err(HandshakeError::InviteState(
                    "has something that is no event of the room",
                ));
            }
            let mut events = verified.iter().flatten();
            if !events.any(|event| event.is("m.room.create", "")) {
                return Err(HandshakeError::InviteState(
                    "lacks the `m.room.create` event",
                ));
            }
        }
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
}

/// The part of an event that clients are shown; None for what is no state event, and for the user's
/// own membership, which is told apart.
fn strip(told: &RawValue, user: &UserId) -> Option<String> {
    let mut object = json::parse_object(told.get().as_bytes()).ok()?;
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
