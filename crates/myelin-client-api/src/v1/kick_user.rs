//! `POST /_matrix/client/api/v1/rooms/{roomId}/kick`

use axum::response::Response;
use myelin_http::{Client, Raw};
use myelin_rooms::Moderation;
use serde_json::json;

use super::{reply, request};
use crate::{ClientApi, Error};

pub(super) async fn kick_user(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let room_id = request::room_id(&client.body)?;
    let mut body = request::body(&client.body)?;
    let target = request::user_id(&request::required_text(&mut body, "user_id")?)?;
    let reason = request::text(&mut body, "reason")?;
    let kick = Moderation {
        room_id: &room_id,
        sender: &client.user,
        target: &target,
        reason: reason.as_deref(),
        transaction: request::transaction(&client, 1, "rooms/kick"),
    };
    api.rooms.kick(kick).await?;
    Ok(reply(&json!({})))
}
