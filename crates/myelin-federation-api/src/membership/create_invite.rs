//! `PUT /_matrix/federation/v2/invite/{roomId}/{eventId}`, and v1, which room versions 1 and 2 know.

use axum::response::Response;
use http::StatusCode;
use myelin_http::{MatrixError, Peer, Raw, json_response, ruma_response};
use myelin_rooms::ReceivedInvite;
use ruma::{RoomVersionId, api::federation::membership::create_invite::v2};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{refusal, room_and_event};
use crate::FederationApi;

/// What v2 is sent. ruma's type wants state that others leave out.
#[derive(Deserialize)]
struct Body {
    room_version: RoomVersionId,
    event: Box<RawValue>,
    #[serde(default)]
    invite_room_state: Vec<Box<RawValue>>,
}

#[derive(Default, Deserialize)]
struct Unsigned {
    #[serde(default)]
    invite_room_state: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    unsigned: Unsigned,
}

pub(crate) async fn create_invite_v2(
    api: FederationApi,
    peer: Peer<Raw>,
) -> Result<Response, MatrixError> {
    let body: Body = peer.body.json()?;
    let signed = receive(&api, &peer, &body).await?;
    ruma_response(v2::Response::new(signed))
}

pub(crate) async fn create_invite_v1(
    api: FederationApi,
    peer: Peer<Raw>,
) -> Result<Response, MatrixError> {
    let Event { unsigned } = peer.body.json()?;
    let body = Body {
        // Who uses it has no rooms but of the versions 1 and 2, whose events are alike.
        room_version: RoomVersionId::V1,
        event: peer.body.json()?,
        invite_room_state: unsigned.invite_room_state,
    };
    let signed = receive(&api, &peer, &body).await?;
    Ok(json_response(
        StatusCode::OK,
        &(200, serde_json::json!({ "event": signed })),
    ))
}

async fn receive(
    api: &FederationApi,
    peer: &Peer<Raw>,
    body: &Body,
) -> Result<Box<RawValue>, MatrixError> {
    let (room_id, event_id) = room_and_event(&peer.body)?;
    let invite = ReceivedInvite {
        origin: &peer.origin,
        room_id: &room_id,
        event_id: &event_id,
        version: &body.room_version,
        pdu: &body.event,
        state: &body.invite_room_state,
    };
    let signed = api.rooms.receive_invite(invite).await.map_err(refusal)?;
    RawValue::from_string(signed.json.into()).map_err(MatrixError::internal)
}
