//! `POST /_matrix/client/api/v1/rooms/{roomId}/join`

use axum::response::Response;
use myelin_http::{Client, Raw};
use myelin_rooms::Join;
use serde_json::json;

use super::{reply, request};
use crate::{ClientApi, Error};

pub(super) async fn join_room_by_id(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let room_id = request::room_id(&client.body)?;
    // What it says is said by the path already; but it must be JSON.
    request::body(&client.body)?;
    let join = Join {
        room_id: &room_id,
        user: &client.user,
        guest: client.guest,
        reason: None,
        third_party_signed: None,
        via: &[],
        transaction: request::transaction(&client, 1, "rooms/join"),
    };
    api.rooms.join(join).await?;
    Ok(reply(&json!({ "room_id": room_id })))
}
