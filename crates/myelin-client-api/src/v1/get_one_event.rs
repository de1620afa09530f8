//! `GET /_matrix/client/api/v1/events/{eventId}`

use axum::response::Response;
use myelin_http::{Client, MatrixError, Raw};
use serde_json::Value;

use super::{
    modern, reply, request,
    view::{is_hidden, real_id},
};
use crate::{ClientApi, Error, events::find_event};

pub(super) async fn get_one_event(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let event_id = request::parameter(&client.body, 0);
    let viewer = request::viewer(&client);
    let mut read = api.app.store.read();
    let not_found = || MatrixError::not_found("Event not found.");
    let (room_id, visible) = find_event(&api, &mut read, &client.user, real_id(event_id))
        .await?
        .ok_or_else(not_found)?;
    let room = visible.event.room;
    let shown = api.syncs.annotate(&mut read, room, vec![visible]).await?;
    let shown = shown.first().ok_or_else(not_found)?;
    let seen = (&shown.event, &viewer);
    let view = modern::room_view(&api, &mut read, (&room_id, &client.user), seen).await?;
    let event = modern::shown_event(&api, shown, (&room_id, &viewer))?;
    let event = if is_hidden(&event) {
        None
    } else if event_id == shown.event.id {
        Some(view.event(event))
    } else {
        view.virtual_event(event, event_id)
    };
    let event = event.ok_or_else(not_found)?;
    Ok(reply(&Value::Object(event)))
}
