//! `GET /_matrix/client/v3/events/{eventId}`

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Client, MatrixError, Raw, json_response};
use ruma::{api::auth_scheme::AccessToken, metadata};

use crate::{
    ClientApi, Error,
    events::{find_event, shown_event, viewer},
};

/// The paths of an endpoint that ruma no longer has.
pub(crate) struct Request;

metadata! {
    method: GET,
    rate_limited: false,
    authentication: AccessToken,
    history: {
        1.0 => "/_matrix/client/r0/events/{event_id}",
        1.1 => "/_matrix/client/v3/events/{event_id}",
    }
}

pub(crate) async fn get_one_event(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let event_id = client.body.path.first().map(String::as_str);
    let mut read = api.app.store.read();
    let not_found = || MatrixError::not_found("Event not found.");
    let found = find_event(&api, &mut read, &client.user, event_id.unwrap_or_default());
    let (room_id, visible) = found.await?.ok_or_else(not_found)?;
    let room = visible.event.room;
    let shown = api.syncs.annotate(&mut read, room, vec![visible]).await?;
    let shown = shown.first().ok_or_else(not_found)?;
    let viewer = viewer(&client);
    let event = shown_event(shown, &room_id, (&viewer, api.app.server.now_ms()))?;
    Ok(json_response(StatusCode::OK, &event))
}
