//! `PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}`

use axum::response::Response as HttpResponse;
use myelin_core::json;
use myelin_http::{Client, Parse, Raw, ruma_response};
use myelin_rooms::{ActingDevice, ClientTransaction, ScheduleEvent, SendEvent, SendOptions};
use ruma::api::client::message::send_message_event::v3::{Request, Response};

use crate::{ClientApi, Error, delayed_events, parameters::sticky_ms};

pub(crate) async fn send_message_event(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<HttpResponse, Error> {
    let query = client.body.query()?;
    let sticky_ms = sticky_ms(&query)?;
    let body = Request::parse(client.body)?;
    let content =
        json::parse_object(body.body.json().get().as_bytes()).map_err(crate::error::json)?;
    let (room_id, sender) = (&*body.room_id, &*client.user);
    let event_type = &*body.event_type.to_string();
    let transaction = |endpoint| {
        Some(ClientTransaction {
            device: client.device.as_str(),
            endpoint,
            txn_id: body.txn_id.as_str(),
        })
    };
    let acting = ActingDevice {
        device: &client.device,
        last_seen_ms: client.last_seen_ms,
    };
    if let Some(delay_ms) = delayed_events::delay_ms(&query)? {
        let schedule = ScheduleEvent {
            room_id,
            sender,
            event_type,
            state_key: None,
            content,
            delay_ms,
            sticky_ms,
            transaction: transaction("delayed_event"),
            acting,
        };
        return delayed_events::schedule(&api, schedule).await;
    }
    let send = SendEvent {
        room_id,
        sender,
        event_type,
        content,
        transaction: transaction("send"),
        acting: Some(acting),
        options: SendOptions {
            sticky_ms,
            ..SendOptions::default()
        },
    };
    let response = Response::new(api.rooms.send(send).await?);
    Ok(ruma_response(response)?)
}
