//! `GET /_matrix/client/v3/rooms/{roomId}/initialSync`

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Client, MatrixError, Raw, json_response};
use ruma::RoomId;

use super::{limit, room_info::RoomInfos};
use crate::{ClientApi, Error, events::viewer};

/// Open to who may see the room, in it or not: this is how a room is looked into.
pub(crate) async fn get_current_state(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let id = client.body.path.first().map(String::as_str);
    let room_id = RoomId::parse(id.unwrap_or_default())
        .map_err(|_| MatrixError::invalid_param("The path names no room id."))?;
    let limit = limit(&client.body.query()?)?;
    let position = api.syncs.position().await?;
    let mut read = api.app.store.read();
    let view = api.rooms.view(&mut read, &room_id, &client.user).await?;
    let number = view.room;
    let room = api.syncs.room_overview(&mut read, view, position).await?;
    let viewer = viewer(&client);
    let mut infos = RoomInfos::new(&api, &viewer, limit, api.syncs.token_at(position));
    infos.read_account_data(&mut read, &[number]).await?;
    let info = infos.room(&mut read, room).await?;
    Ok(json_response(StatusCode::OK, &info))
}
