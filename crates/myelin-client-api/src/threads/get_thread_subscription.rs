//! `GET /_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{eventId}/subscription`

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Client, MatrixError, Raw, json_response};
use myelin_store::thread_subscriptions::Subscription;
use serde_json::json;

use super::seen_thread;
use crate::{ClientApi, Error};

pub(crate) async fn get_thread_subscription(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let thread = seen_thread(&client)?;
    let found = api.rooms.thread_subscription(&thread).await?;
    let found = found.ok_or_else(|| MatrixError::not_found("Not subscribed to this thread."))?;
    let automatic = found == Subscription::Automatic;
    Ok(json_response(
        StatusCode::OK,
        &json!({"automatic": automatic}),
    ))
}
