//! `GET /_matrix/client/v3/rooms/{roomId}/state`

use myelin_http::Client;
use myelin_sync::Viewer;
use ruma::api::client::state::get_state_events::v3::{Request, Response};

use crate::{ClientApi, Error, events::client_events};

pub(crate) async fn get_state_events(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let viewer = Viewer {
        user: client.user_number,
        device: Some(client.device.to_string()),
    };
    let Client { user, body, .. } = client;
    let mut read = api.app.store.read();
    let view = api.rooms.view(&mut read, &body.room_id, &user).await?;
    let state = api.rooms.state(&mut read, view.room, &view.root).await?;
    Ok(Response::new(client_events(
        &api,
        &state,
        &body.room_id,
        &viewer,
    )?))
}
