//! `GET /_matrix/federation/v1/make_leave/{roomId}/{userId}`.

use myelin_core::membership::Membership;
use myelin_http::{MatrixError, Peer};
use ruma::api::federation::membership::prepare_leave_event::v1::{Request, Response};

use super::{make, template};
use crate::FederationApi;

pub(crate) async fn prepare_leave_event(
    api: FederationApi,
    peer: Peer<Request>,
) -> Result<Response, MatrixError> {
    let Request {
        room_id, user_id, ..
    } = peer.body;
    let wanted = (Membership::Leave, None);
    let made = make(&api, &peer.origin, (&room_id, &user_id), wanted).await?;
    let event = template(&made)?;
    Ok(Response::new(Some(made.version), event))
}
