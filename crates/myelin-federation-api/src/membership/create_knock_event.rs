//! `PUT /_matrix/federation/v1/send_knock/{roomId}/{eventId}`.

use myelin_core::membership::Membership;
use myelin_http::{MatrixError, Peer};
use ruma::api::federation::membership::{
    RawStrippedState,
    create_knock_event::v1::{Request, Response},
};
use serde_json::value::RawValue;

use super::{refusal, send};
use crate::FederationApi;

pub(crate) async fn create_knock_event(
    api: FederationApi,
    peer: Peer<Request>,
) -> Result<Response, MatrixError> {
    let Request {
        room_id,
        event_id,
        pdu,
        ..
    } = peer.body;
    let names = (&*room_id, &*event_id);
    let sent = send(&api, &peer.origin, names, (&pdu, Membership::Knock)).await?;
    let told = api.rooms.knock_state(&sent.event).await.map_err(refusal)?;
    let told = told.into_iter().map(RawValue::from_string);
    let told: Result<Vec<_>, _> = told.collect();
    let told = told.map_err(MatrixError::internal)?;
    let told = told.into_iter().map(RawStrippedState::Pdu);
    Ok(Response::new(told.collect()))
}
