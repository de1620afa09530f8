//! `POST /_matrix/client/api/v1/rooms/{roomId}/send/{eventType}`

use axum::response::Response;
use myelin_http::{Client, MatrixError, Raw};
use myelin_rooms::{ActingDevice, SendEvent, SendOptions};
use ruma::{CanonicalJsonObject, CanonicalJsonValue};
use serde_json::json;

use super::{reply, request, view};
use crate::{ClientApi, Error};

pub(super) async fn send_message_event(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let room_id = request::room_id(&client.body)?;
    let event_type = request::parameter(&client.body, 1);
    let mut content = request::content(&client.body)?;
    check(event_type, &content)?;
    // The time is the server's to tell.
    content.remove("hsob_ts");
    let send = SendEvent {
        room_id: &room_id,
        sender: &client.user,
        event_type,
        content,
        transaction: request::transaction(&client, 2, "send"),
        acting: Some(ActingDevice {
            device: &client.device,
            last_seen_ms: client.last_seen_ms,
        }),
        options: SendOptions::default(),
    };
    let event_id = api.rooms.send(send).await?;
    Ok(reply(&json!({ "event_id": event_id })))
}

fn check(event_type: &str, content: &CanonicalJsonObject) -> Result<(), MatrixError> {
    let text = |key: &str| match content.get(key) {
        Some(CanonicalJsonValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let missing = |what: &str| Err(MatrixError::bad_json(format!("Missing {what} key.")));
    match event_type {
        "m.room.message" if text("msgtype").is_none() => missing("msgtype"),
        "m.room.message.feedback" if text("target_event_id").is_none() => {
            missing("target_event_id")
        }
        "m.room.message.feedback" if !matches!(text("type"), Some("delivered" | "read")) => Err(
            MatrixError::bad_json("The `type` of feedback is `delivered` or `read`."),
        ),
        _ if view::is_virtual(event_type) => Err(MatrixError::invalid_param(format!(
            "`{event_type}` is state."
        ))),
        _ => Ok(()),
    }
}
