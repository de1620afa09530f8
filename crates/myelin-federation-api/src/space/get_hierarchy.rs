//! `GET /_matrix/federation/v1/hierarchy/{roomId}`

use axum::response::Response;
use http::StatusCode;
use myelin_http::{MatrixError, Peer, json_response};
use myelin_rooms::RoomSummary;
use ruma::{OwnedRoomId, api::federation::space::get_hierarchy::v1::Request};
use serde::Serialize;
use serde_json::{Map, Value, value::RawValue};

use crate::{FederationApi, refusal::refusal};

#[derive(Serialize)]
struct Answer {
    room: Room,
    children: Vec<Map<String, Value>>,
    inaccessible_children: Vec<OwnedRoomId>,
}

#[derive(Serialize)]
struct Room {
    #[serde(flatten)]
    summary: Map<String, Value>,
    children_state: Vec<Box<RawValue>>,
}

pub(crate) async fn get_hierarchy(
    api: FederationApi,
    peer: Peer<Request>,
) -> Result<Response, MatrixError> {
    let Peer { origin, body, .. } = peer;
    let found = api
        .rooms
        .hierarchy_for_server(&body.room_id, &origin, body.suggested_only)
        .await
        .map_err(refusal)?;
    let children = found.children.iter().map(RoomSummary::to_object);
    let answer = Answer {
        children: children.collect(),
        inaccessible_children: found.inaccessible,
        room: Room {
            summary: found.room.to_object(),
            children_state: found.children_state,
        },
    };
    Ok(json_response(StatusCode::OK, &answer))
}
