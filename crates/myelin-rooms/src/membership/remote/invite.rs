//! Inviting users of other servers (spec: "Inviting to a room").

use bytes::Bytes;
use http::Request;
use myelin_core::event::{self, Event};
use myelin_net::{FederationError, Limits};
use ruma::{
    OwnedEventId, RoomVersionId, ServerName, UserId,
    api::federation::membership::{RawStrippedState, create_invite},
};
use serde_json::{Value, json, value::RawValue};

use super::{
    RemoteError, TEMPLATE_LIMITS,
    join::{KEYS_WITHIN, is_same_event},
};
use crate::{
    AppendError, Outcome, ReceiveError, Rooms, append::Draft, membership::InviteError,
    policy::OWN_WITHIN,
};

/// The most bytes of state that go with an invitation (CVE-2023-32323).
const STATE_BYTES_MAX: usize = 256 * 1024;

/// An invitation that its target's server is to sign.
struct Offer {
    event: Event,
    version: RoomVersionId,
    state: Vec<Box<RawValue>>,
}

impl Rooms {
    /// Asks the target's server to sign an invitation, and brings it into the room then; the answer
    /// is its id. No lock is held meanwhile.
    pub(crate) async fn invite_elsewhere(
        &self,
        draft: &Draft<'_>,
        (room_id, target): (&ruma::RoomId, &UserId),
    ) -> Result<OwnedEventId, InviteError> {
        let server = target.server_name();
        let offer = self.offer(draft, room_id).await?;
        let signed = self.ask_to_sign(server, &offer).await;
        let signed = signed.map_err(InviteError::Remote)?;
        let id = signed.event_id.clone();
        match self.receive_for_others(signed).await {
            Ok((Outcome::Accepted, _)) => Ok(id),
            Ok((Outcome::SoftFailed { reason } | Outcome::Rejected { reason }, _)) => {
                Err(InviteError::Overtaken(reason))
            }
            Err(ReceiveError::Store(error)) => Err(error.into()),
            Err(error) => Err(InviteError::Overtaken(error.to_string())),
        }
    }

    async fn offer(&self, draft: &Draft<'_>, room_id: &ruma::RoomId) -> Result<Offer, InviteError> {
        let refused = || InviteError::NotInRoom {
            sender: draft.sender.to_string(),
            room_id: room_id.to_string(),
        };
        let mut room = self.open(room_id).await?.ok_or_else(refused)?;
        let version = room.version()?;
        let content = draft.content.clone();
        let (event, _) = room.build(draft, content).await?;
        let policy = room.policy_server().await?;
        let head = room.head().ok_or_else(refused)?;
        let at = (head.row.room, head.row.root.clone());
        let told = self.told_state(&mut room.read, (at.0, &at.1)).await?;
        drop(room);
        let mut bytes = 0;
        let mut state = Vec::with_capacity(told.len());
        for event in told {
            bytes += event.json.len();
            // The create event comes first: it is never left out.
            if bytes <= STATE_BYTES_MAX
                && let Ok(pdu) = RawValue::from_string(event.json)
            {
                state.push(pdu);
            }
        }
        let event = match policy {
            Some(policy) => {
                let asked = self.ask_policy_server((&policy, &version), &event, OWN_WITHIN);
                asked.await.map_err(AppendError::from)?
            }
            None => event,
        };
        Ok(Offer {
            event,
            version,
            state,
        })
    }

    async fn ask_to_sign(&self, server: &ServerName, offer: &Offer) -> Result<Event, RemoteError> {
        let unusable = |error: &dyn std::fmt::Display| RemoteError::unusable(server, error);
        let event = &offer.event;
        let pdu = RawValue::from_string(event.json.to_string());
        let request = create_invite::v2::Request::new(
            event.room_id.clone(),
            event.event_id.clone(),
            offer.version.clone(),
            pdu.map_err(|error| unusable(&error))?,
            offer
                .state
                .iter()
                .cloned()
                .map(RawStrippedState::Pdu)
                .collect(),
        );
        let answer = self.federation.ask_within(server, request, TEMPLATE_LIMITS);
        let answer = match answer.await {
            Ok(answer) => answer.event,
            Err(error) if is_old(&error, &offer.version) => self.ask_by_v1(server, offer).await?,
            Err(error) => return Err(RemoteError::of_request(server, error)),
        };
        let signed = event::parse(answer.get().as_bytes(), &offer.version);
        let signed = signed.map_err(|error| unusable(&error))?;
        if !is_same_event(event, &signed) {
            return Err(unusable(&"it has signed another event than the one sent"));
        }
        let room = (&offer.version, &*event.room_id);
        let mut verified = self.verify(&[&answer], room, KEYS_WITHIN).await;
        let verified = verified.pop().unwrap_or(Ok(signed));
        verified.map_err(|error| unusable(&error))
    }

    /// The first form of the request, for servers that know no other.
    async fn ask_by_v1(
        &self,
        server: &ServerName,
        offer: &Offer,
    ) -> Result<Box<RawValue>, RemoteError> {
        let unusable = |error: &dyn std::fmt::Display| RemoteError::unusable(server, error);
        let event = &offer.event;
        let mut body: Value =
            serde_json::from_str(&event.json).map_err(|error| unusable(&error))?;
        body["unsigned"] = json!({"invite_room_state": offer.state});
        let path = format!(
            "/_matrix/federation/v1/invite/{}/{}",
            encode(event.room_id.as_str()),
            encode(event.event_id.as_str())
        );
        let request = Request::put(path).body(Bytes::from(body.to_string()));
        let request = request.map_err(|error| unusable(&error))?;
        let answer = self.federation.request(server, request, Limits::default());
        let answer = answer
            .await
            .map_err(|error| RemoteError::of_request(server, error))?;
        let answer: (u16, Signed) =
            serde_json::from_slice(answer.body()).map_err(|error| unusable(&error))?;
        Ok(answer.1.event)
    }
}

#[derive(serde::Deserialize)]
struct Signed {
    event: Box<RawValue>,
}

/// Whether an answer may mean that the server knows only the first form of the request.
fn is_old(error: &FederationError, version: &RoomVersionId) -> bool {
    let is_first = matches!(version, RoomVersionId::V1 | RoomVersionId::V2);
    let FederationError::Refused { status, .. } = error else {
        return false;
    };
    is_first && matches!(status.as_u16(), 400 | 404)
}

/// Percent-encodes one segment of a path.
fn encode(segment: &str) -> String {
    use std::fmt::Write;
    let mut encoded = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
