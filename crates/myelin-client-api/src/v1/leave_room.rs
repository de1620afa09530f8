//! `POST /_matrix/client/api/v1/rooms/{roomId}/leave`

use axum::response::Response;
use myelin_http::{Client, Raw};
use myelin_rooms::Leave;
use serde_json::json;

use super::{reply, request};
use crate::{ClientApi, Error};

pub(super) async fn leave_room(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let room_id = request::room_id(&client.body)?;
    request::body(&client.body)?;
    let leave = Leave {
        room_id: &room_id,
        user: &client.user,
        reason: None,
        transaction: request::transaction(&client, 1, "rooms/leave"),
    };
    api.rooms.leave(leave).await?;
    Ok(reply(&json!({})))
}
