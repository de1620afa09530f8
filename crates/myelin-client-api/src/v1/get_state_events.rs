//! `GET /_matrix/client/api/v1/rooms/{roomId}/state`

use axum::response::Response;
use myelin_http::{Client, Raw};
use serde_json::json;

use super::{
    modern, reply, request,
    view::{Object, RoomView},
};
use crate::{ClientApi, Error};

pub(super) async fn get_state_events(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let room_id = request::room_id(&client.body)?;
    let viewer = request::viewer(&client);
    let mut read = api.app.store.read();
    let access = api.rooms.view(&mut read, &room_id, &client.user).await?;
    let state = api
        .rooms
        .state(&mut read, access.room, &access.root)
        .await?;
    let state = state
        .iter()
        .map(|stored| modern::event(&api, stored, &room_id, &viewer));
    let state: Vec<Object> = state.collect::<Result<_, _>>()?;
    let view = RoomView::of_state(&state);
    Ok(reply(&json!(view.state(state))))
}
