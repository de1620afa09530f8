//! `POST /_matrix/client/api/v1/join/{roomIdOrAlias}`

use axum::response::Response;
use myelin_http::{Client, MatrixError, Raw};
use myelin_rooms::Join;
use ruma::{OwnedRoomId, RoomAliasId};
use serde_json::json;

use super::{reply, request};
use crate::{ClientApi, Error};

pub(super) async fn join_room_by_id_or_alias(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    request::body(&client.body)?;
    let room_id = find_room(&api, &client.body).await?;
    let join = Join {
        room_id: &room_id,
        user: &client.user,
        guest: client.guest,
        reason: None,
        third_party_signed: None,
        via: &[],
        transaction: request::transaction(&client, 1, "join"),
    };
    api.rooms.join(join).await?;
    Ok(reply(&json!({ "room_id": room_id })))
}

async fn find_room(api: &ClientApi, raw: &Raw) -> Result<OwnedRoomId, Error> {
    let name = request::parameter(raw, 0);
    if name.starts_with('!') {
        return Ok(request::room_id(raw)?);
    }
    let alias = RoomAliasId::parse(name);
    let alias = alias
        .map_err(|_| MatrixError::invalid_param(format!("{name:?} is no room id or alias.")))?;
    Ok(api.rooms.resolve_alias(&alias).await?.room_id)
}
