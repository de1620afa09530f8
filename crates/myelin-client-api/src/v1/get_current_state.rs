//! `GET /_matrix/client/api/v1/rooms/{roomId}/initialSync`

use axum::response::Response;
use myelin_http::{Client, Raw};

use super::{initial_sync::Caller, reply, request};
use crate::{ClientApi, Error, peeking};

/// What `/initialSync` says of one room, with the presence of its members.
pub(super) async fn get_current_state(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let room_id = request::room_id(&client.body)?;
    let limit = peeking::limit(&client.body.query()?)?;
    let viewer = request::viewer(&client);
    let position = api.syncs.position().await?;
    let mut read = api.app.store.read();
    let view = api.rooms.view(&mut read, &room_id, &client.user).await?;
    let room = api.syncs.room_overview(&mut read, view, position).await?;
    let number = room.view.room;
    let caller = Caller::new(&api, &client.user, viewer, (limit, position));
    let mut answer = caller.room(&mut read, room).await?;
    answer["presence"] = caller.presence(&[number]).await?.into();
    Ok(reply(&answer))
}
