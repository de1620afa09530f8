//! `PUT /_matrix/client/v3/rooms/{roomId}/typing/{userId}`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidtypinguserid)

use std::time::Duration;

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Client, MatrixError, Raw, json_response};
use myelin_rooms::Typing;
use ruma::RoomId;
use serde::Deserialize;
use serde_json::json;

use crate::{ClientApi, Error};

/// Not ruma's request: that one demands the `timeout`, which the specification does not.
#[derive(Deserialize)]
struct Body {
    typing: bool,
    timeout: Option<u64>,
}

pub(crate) async fn create_typing_event(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let raw = &client.body;
    let parameter = |index: usize| raw.path.get(index).map(String::as_str).unwrap_or_default();
    let room_id = RoomId::parse(parameter(0))
        .map_err(|_| MatrixError::invalid_param(format!("{:?} is no room id.", parameter(0))))?;
    if parameter(1) != client.user.as_str() {
        return Err(MatrixError::forbidden("You can only type for yourself.").into());
    }
    let body: Body = raw.json()?;
    let typing = if body.typing {
        Typing::For(body.timeout.map(Duration::from_millis))
    } else {
        Typing::No
    };
    api.rooms.set_typing(&room_id, &client.user, typing).await?;
    Ok(json_response(StatusCode::OK, &json!({})))
}
