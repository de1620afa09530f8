//! `GET /_matrix/client/v3/rooms/{roomId}/state`

use axum::response::Response;
use myelin_http::Client;
use ruma::api::client::state::get_state_events::v3::Request;

use crate::{
    ClientApi, Error,
    event_pages::{client_form, write_pages},
    events::viewer,
};

pub(crate) async fn get_state_events(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let room_id = &client.body.room_id;
    let mut read = api.app.store.read();
    let view = api.rooms.view(&mut read, room_id, &client.user).await?;
    let at = (view.room, &view.root);
    let pages = api.rooms.state_pages(&mut read, at).await?;
    let form = client_form(&api, viewer(&client), room_id.clone());
    write_pages(&api, read, pages, form).await
}
