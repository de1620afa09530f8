//! `PUT /_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}`

use axum::response::Response as HttpResponse;
use myelin_http::{Client, Raw, ruma_response};
use myelin_rooms::{ActingDevice, ClientTransaction, RedactEvent};
use ruma::api::client::redact::redact_event::v3::Response;
use serde::Deserialize;

use crate::{
    ClientApi, Error,
    parameters::{event_id, room_id},
};

#[derive(Deserialize)]
struct Body {
    reason: Option<String>,
    /// MSC3912.
    with_rel_types: Option<Vec<String>>,
    #[serde(rename = "org.matrix.msc3912.with_relations")]
    with_relations: Option<Vec<String>>,
}

pub(crate) async fn redact_event(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<HttpResponse, Error> {
    let (room_id, event_id) = (room_id(&client.body)?, event_id(&client.body)?);
    let body: Body = client.body.json()?;
    let with_rel_types = body.with_rel_types.or(body.with_relations);
    let txn_id = client.body.path.get(2).map(String::as_str);
    let transaction = ClientTransaction {
        device: client.device.as_str(),
        endpoint: "redact",
        txn_id: txn_id.unwrap_or_default(),
    };
    let redact = RedactEvent {
        room_id: &room_id,
        sender: &client.user,
        event_id: &event_id,
        reason: body.reason.as_deref(),
        with_rel_types: with_rel_types.as_deref().unwrap_or_default(),
        transaction: Some(transaction),
        acting: Some(ActingDevice {
            device: &client.device,
            last_seen_ms: client.last_seen_ms,
        }),
    };
    let redaction = api.rooms.redact(redact).await?;
    Ok(ruma_response(Response::new(redaction))?)
}
