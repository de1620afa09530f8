//! `DELETE /_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{eventId}/subscription`

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Client, Raw, json_response};
use myelin_rooms::SeenThread;
use serde_json::json;

use crate::{
    ClientApi, Error,
    parameters::{event_id, room_id},
};

pub(crate) async fn unsubscribe_thread(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let (room_id, root) = (room_id(&client.body)?, event_id(&client.body)?);
    let thread = SeenThread {
        user: &client.user,
        room_id: &room_id,
        root: &root,
    };
    api.rooms.unsubscribe_from_thread(thread).await?;
    Ok(json_response(StatusCode::OK, &json!({})))
}
