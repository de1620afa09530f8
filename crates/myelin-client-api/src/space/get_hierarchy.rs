//! `GET /_matrix/client/v1/rooms/{roomId}/hierarchy`

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Client, MatrixError, json_response};
use myelin_rooms::{HierarchyRequest, HierarchyToken, SpaceRoom};
use ruma::{UInt, api::client::space::get_hierarchy::v1::Request};
use serde::Serialize;
use serde_json::{Map, Value, value::RawValue};

use crate::{ClientApi, Error};

#[derive(Serialize)]
struct Answer {
    rooms: Vec<Room>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_batch: Option<String>,
}

#[derive(Serialize)]
struct Room {
    #[serde(flatten)]
    summary: Map<String, Value>,
    children_state: Vec<Box<RawValue>>,
}

pub(crate) async fn get_hierarchy(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let Client { user, body, .. } = client;
    let number = |number: UInt| usize::try_from(u64::from(number)).unwrap_or(usize::MAX);
    let limit = body.limit.map(number);
    if limit == Some(0) {
        return Err(MatrixError::invalid_param("`limit` must be greater than zero.").into());
    }
    let from = body.from.as_deref().map(str::parse::<HierarchyToken>);
    let request = HierarchyRequest {
        room_id: &body.room_id,
        user: &user,
        max_depth: body.max_depth.map(number),
        suggested_only: body.suggested_only,
        limit,
        from: from.transpose()?,
    };
    let found = api.rooms.hierarchy(&request).await?;
    let answer = Answer {
        rooms: found.rooms.into_iter().map(room).collect(),
        next_batch: found.next.map(|next| next.to_string()),
    };
    Ok(json_response(StatusCode::OK, &answer))
}

fn room(room: SpaceRoom) -> Room {
    Room {
        summary: room.summary.to_object(),
        children_state: room.children,
    }
}
