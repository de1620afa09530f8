//! `POST /_matrix/client/api/v1/rooms/{roomId}/redact/{eventId}`

use axum::response::Response;
use myelin_http::{Client, MatrixError, Raw};
use myelin_rooms::{ActingDevice, RedactEvent};
use ruma::EventId;
use serde_json::json;

use super::{reply, request, view::real_id};
use crate::{ClientApi, Error};

pub(super) async fn redact_event(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let room_id = request::room_id(&client.body)?;
    let id = request::parameter(&client.body, 1);
    if real_id(id) != id {
        let message = "A part of the levels cannot be redacted.";
        return Err(MatrixError::invalid_param(message).into());
    }
    let event_id = EventId::parse(id)
        .map_err(|_| MatrixError::invalid_param(format!("{id:?} is not an event id.")))?;
    let reason = request::text(&mut request::body(&client.body)?, "reason")?;
    let redact = RedactEvent {
        room_id: &room_id,
        sender: &client.user,
        event_id: &event_id,
        reason: reason.as_deref(),
        with_rel_types: &[],
        transaction: request::transaction(&client, 2, "redact"),
        acting: Some(ActingDevice {
            device: &client.device,
            last_seen_ms: client.last_seen_ms,
        }),
    };
    let redaction = api.rooms.redact(redact).await?;
    Ok(reply(&json!({ "event_id": redaction })))
}
