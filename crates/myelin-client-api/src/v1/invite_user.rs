//! `POST /_matrix/client/api/v1/rooms/{roomId}/invite`

use axum::response::Response;
use myelin_http::{Client, Raw};
use myelin_rooms::Invite;
use serde_json::json;

use super::{reply, request};
use crate::{ClientApi, Error};

pub(super) async fn invite_user(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let room_id = request::room_id(&client.body)?;
    let mut body = request::body(&client.body)?;
    let target = request::user_id(&request::required_text(&mut body, "user_id")?)?;
    let invite = Invite {
        room_id: &room_id,
        sender: &client.user,
        target: &target,
        reason: None,
        transaction: request::transaction(&client, 1, "rooms/invite"),
    };
    api.rooms.invite(invite).await?;
    Ok(reply(&json!({})))
}
