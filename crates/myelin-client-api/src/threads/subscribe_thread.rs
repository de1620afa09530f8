//! `PUT /_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{eventId}/subscription`

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Client, Raw, json_response};
use myelin_rooms::SeenThread;
use ruma::OwnedEventId;
use serde::Deserialize;
use serde_json::json;

use crate::{
    ClientApi, Error,
    parameters::{event_id, room_id},
};

#[derive(Deserialize)]
struct Body {
    /// The event that has made the client subscribe.
    automatic: Option<OwnedEventId>,
}

pub(crate) async fn subscribe_thread(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let (room_id, root) = (room_id(&client.body)?, event_id(&client.body)?);
    let body: Body = client.body.json()?;
    let thread = SeenThread {
        user: &client.user,
        room_id: &room_id,
        root: &root,
    };
    let cause = body.automatic.as_deref();
    api.rooms.subscribe_to_thread(thread, cause).await?;
    Ok(json_response(StatusCode::OK, &json!({})))
}
