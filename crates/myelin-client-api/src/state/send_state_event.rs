//! `PUT /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}`

use myelin_core::json;
use myelin_http::Client;
use myelin_rooms::SetState;
use ruma::api::client::state::send_state_event::v3::{Request, Response};

use crate::{ClientApi, Error};

pub(crate) async fn send_state_event(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let Client {
        user, guest, body, ..
    } = client;
    let content =
        json::parse_object(body.body.json().get().as_bytes()).map_err(crate::error::json)?;
    let event_type = body.event_type.to_string();
    let set = SetState {
        room_id: &body.room_id,
        sender: &user,
        event_type: &event_type,
        state_key: &body.state_key,
        content,
        guest,
    };
    Ok(Response::new(api.rooms.set_state(set).await?))
}
