//! `PUT /_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}`

use myelin_http::Client;
use myelin_rooms::{ActingDevice, ClientTransaction, RedactEvent};
use ruma::api::client::redact::redact_event::v3::{Request, Response};

use crate::{ClientApi, Error};

pub(crate) async fn redact_event(
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
    let transaction = ClientTransaction {
        device: device.as_str(),
        endpoint: "redact",
        txn_id: body.txn_id.as_str(),
    };
    let redact = RedactEvent {
        room_id: &body.room_id,
        sender: &user,
        event_id: &body.event_id,
        reason: body.reason.as_deref(),
        transaction: Some(transaction),
        acting: Some(ActingDevice {
            device: &device,
            last_seen_ms,
        }),
    };
    Ok(Response::new(api.rooms.redact(redact).await?))
}
