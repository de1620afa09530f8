//! `PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}`

use myelin_core::json;
use myelin_http::Client;
use myelin_rooms::{ActingDevice, ClientTransaction, SendEvent};
use ruma::api::client::message::send_message_event::v3::{Request, Response};

use crate::{ClientApi, Error};

pub(crate) async fn send_message_event(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let Client {
        user,
        device,
        last_seen_ms,
        body,
        ..
    } = client;
    let content =
        json::parse_object(body.body.json().get().as_bytes()).map_err(crate::error::json)?;
    let event_type = body.event_type.to_string();
    let transaction = ClientTransaction {
        device: device.as_str(),
        endpoint: "send",
        txn_id: body.txn_id.as_str(),
    };
    let send = SendEvent {
        room_id: &body.room_id,
        sender: &user,
        event_type: &event_type,
        content,
        transaction: Some(transaction),
        acting: Some(ActingDevice {
            device: &device,
            last_seen_ms,
        }),
    };
    Ok(Response::new(api.rooms.send(send).await?))
}
