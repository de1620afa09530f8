//! `GET /_matrix/client/api/v1/rooms/{roomId}/state/{eventType}/{stateKey}`

use axum::response::Response;
use myelin_http::{Client, MatrixError, Raw};
use serde_json::Value;

use super::{modern, reply, request, view};
use crate::{ClientApi, Error};

/// Answers with the content alone.
pub(super) async fn get_state_event_for_key(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let room_id = request::room_id(&client.body)?;
    let event_type = request::parameter(&client.body, 1);
    let state_key = request::parameter(&client.body, 2);
    let viewer = request::viewer(&client);
    let mut read = api.app.store.read();
    let access = api.rooms.view(&mut read, &room_id, &client.user).await?;
    let at = (access.room, &access.root);
    let view = modern::view_at(&api, &mut read, (&room_id, &viewer), at).await?;
    let content = if view::is_virtual(event_type) {
        let content = view.virtual_content(event_type);
        content.filter(|_| state_key.is_empty()).map(Value::Object)
    } else {
        let found = api
            .rooms
            .state_event(&mut read, at, event_type, state_key)
            .await?;
        match found {
            Some(stored) => view
                .event(modern::event(&api, &stored, &room_id, &viewer)?)
                .remove("content"),
            None => None,
        }
    };
    let content = content.ok_or_else(|| MatrixError::not_found("Event not found."))?;
    Ok(reply(&content))
}
