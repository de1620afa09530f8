//! `PUT /_matrix/federation/v2/send_leave/{roomId}/{eventId}`.

use myelin_core::membership::Membership;
use myelin_http::{MatrixError, Peer};
use ruma::api::federation::membership::create_leave_event::v2::{Request, Response};

use super::send;
use crate::FederationApi;

pub(crate) async fn create_leave_event(
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
    send(&api, &peer.origin, names, (&pdu, Membership::Leave)).await?;
    Ok(Response::new())
}
