//! `PUT /_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{eventId}/subscription`

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Client, Raw, json_response};
use ruma::OwnedEventId;
use serde::Deserialize;
use serde_json::json;

use super::seen_thread;
use crate::{ClientApi, Error};

#[derive(Deserialize)]
struct Body {
    /// The event that has made the client subscribe.
    automatic: Option<OwnedEventId>,
}

pub(crate) async fn subscribe_thread(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let thread = seen_thread(&client)?;
    let body: Body = client.body.json()?;
    let cause = body.automatic.as_deref();
    api.rooms.subscribe_to_thread(&thread, cause).await?;
    Ok(json_response(StatusCode::OK, &json!({})))
}
