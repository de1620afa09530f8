//! `GET /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}`

use myelin_http::{Client, MatrixError};
use myelin_store::{StoreError, events::StoredEvent};
use myelin_sync::Viewer;
use ruma::api::client::state::get_state_event_for_key::v3::{Request, Response, StateEventFormat};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{ClientApi, Error, events::client_event};

/// The part of an event that this endpoint answers with by default.
#[derive(Deserialize)]
struct Content {
    content: Box<RawValue>,
}

pub(crate) async fn get_state_event_for_key(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let viewer = Viewer {
        user: client.user_number,
        device: Some(client.device.to_string()),
    };
    let Client { user, body, .. } = client;
    let mut read = api.app.store.read();
    let view = api.rooms.view(&mut read, &body.room_id, &user).await?;
    let event_type = body.event_type.to_string();
    let at = (view.room, &view.root);
    let found = api
        .rooms
        .state_event(&mut read, at, &event_type, &body.state_key)
        .await?;
    let event = found.ok_or_else(|| {
        MatrixError::not_found(format!(
            "The room has no `{event_type}` with the state key {:?}.",
            body.state_key
        ))
    })?;
    let answer = match body.format {
        StateEventFormat::Event => {
            client_event(&event, &body.room_id, (&viewer, api.app.server.now_ms()))?
        }
        _ => content(&event)?,
    };
    Ok(Response::new(answer))
}

fn content(event: &StoredEvent) -> Result<Box<RawValue>, StoreError> {
    let parsed: Content =
        serde_json::from_str(&event.json).map_err(|error| StoreError::Corrupt {
            table: "events",
            column: 12,
            wanted: "an event",
            found: error.to_string(),
        })?;
    Ok(parsed.content)
}
