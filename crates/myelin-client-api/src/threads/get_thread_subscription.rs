//! `GET /_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{eventId}/subscription`

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Client, MatrixError, Raw, json_response};
use myelin_rooms::SeenThread;
use myelin_store::thread_subscriptions::Subscription;
use serde_json::json;

use crate::{
    ClientApi, Error,
    parameters::{event_id, room_id},
};

pub(crate) async fn get_thread_subscription(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let (room_id, root) = (room_id(&client.body)?, event_id(&client.body)?);
    let thread = SeenThread {
        user: &client.user,
        room_id: &room_id,
        root: &root,
    };
    let found = api.rooms.thread_subscription(thread).await?;
    let found = found.ok_or_else(|| MatrixError::not_found("Not subscribed to this thread."))?;
    let automatic = found == Subscription::Automatic;
    Ok(json_response(
        StatusCode::OK,
        &json!({"automatic": automatic}),
    ))
}
