//! `GET /_matrix/federation/v1/make_knock/{roomId}/{userId}`.

use axum::response::Response;
use myelin_core::membership::Membership;
use myelin_http::{MatrixError, Peer, Raw, ruma_response};
use ruma::api::federation::membership::prepare_knock_event::v1;

use super::{make, room_and_user, template, versions};
use crate::FederationApi;

pub(crate) async fn prepare_knock_event(
    api: FederationApi,
    peer: Peer<Raw>,
) -> Result<Response, MatrixError> {
    let (room_id, user) = room_and_user(&peer.body)?;
    let versions = versions(&peer.body)?;
    let wanted = (Membership::Knock, Some(&versions[..]));
    let made = make(&api, &peer.origin, (&room_id, &user), wanted).await?;
    let event = template(&made)?;
    ruma_response(v1::Response::new(made.version, event))
}
