//! `PUT /_matrix/client/v3/rooms/{roomId}/delayed_event/{eventType}/{txnId}`

use axum::response::Response;
use myelin_http::{Client, MatrixError, Raw};
use myelin_rooms::{ActingDevice, ClientTransaction, ScheduleEvent};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    ClientApi, Error,
    parameters::{room_id, sticky_ms},
};

#[derive(Deserialize)]
struct Body {
    /// Named `delay` in an earlier version of the proposal.
    #[serde(alias = "delay")]
    delay_ms: Option<u64>,
    state_key: Option<String>,
    content: Option<Box<RawValue>>,
}

pub(crate) async fn send_delayed_event(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let room_id = room_id(&client.body)?;
    let body: Body = client.body.json()?;
    let [_, event_type, txn_id] = &client.body.path[..] else {
        return Err(MatrixError::invalid_param("The path is not complete.").into());
    };
    let delay_ms = body.delay_ms;
    let delay_ms = delay_ms.ok_or_else(|| MatrixError::missing_param("delay_ms"))?;
    let content = body.content;
    let content = content.ok_or_else(|| MatrixError::missing_param("content"))?;
    let schedule = ScheduleEvent {
        room_id: &room_id,
        sender: &client.user,
        event_type,
        state_key: body.state_key.as_deref(),
        content: super::content(&content)?,
        delay_ms,
        sticky_ms: sticky_ms(&client.body.query()?)?,
        transaction: Some(ClientTransaction {
            device: client.device.as_str(),
            endpoint: "delayed_event",
            txn_id,
        }),
        acting: ActingDevice {
            device: &client.device,
            last_seen_ms: client.last_seen_ms,
        },
    };
    super::schedule(&api, schedule).await
}
