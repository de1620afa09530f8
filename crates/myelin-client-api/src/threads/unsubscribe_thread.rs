//! `DELETE /_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{eventId}/subscription`

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Client, Raw, json_response};
use serde_json::json;

use super::seen_thread;
use crate::{ClientApi, Error};

pub(crate) async fn unsubscribe_thread(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let thread = seen_thread(&client)?;
    api.rooms.unsubscribe_from_thread(&thread).await?;
    Ok(json_response(StatusCode::OK, &json!({})))
}
