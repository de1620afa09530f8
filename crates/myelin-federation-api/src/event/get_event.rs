//! `GET /_matrix/federation/v1/event/{eventId}`.

use myelin_http::{MatrixError, Peer};
use ruma::{
    MilliSecondsSinceUnixEpoch, UInt,
    api::federation::event::get_event::v1::{Request, Response},
};
use serde_json::value::RawValue;

use crate::{FederationApi, refusal::refusal};

pub(crate) async fn get_event(
    api: FederationApi,
    Peer { origin, body }: Peer<Request>,
) -> Result<Response, MatrixError> {
    let event = api
        .rooms
        .served_event(&origin, body.event_id.as_str())
        .await;
    let pdu = RawValue::from_string(event.map_err(refusal)?).map_err(MatrixError::internal)?;
    let server = &api.app.server;
    let now = MilliSecondsSinceUnixEpoch(UInt::new_saturating(server.now_ms()));
    Ok(Response::new(server.name.clone(), now, pdu))
}
