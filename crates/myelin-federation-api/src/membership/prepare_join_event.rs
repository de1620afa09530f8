//! `GET /_matrix/federation/v1/make_join/{roomId}/{userId}`.

use axum::response::Response;
use myelin_core::membership::Membership;
use myelin_http::{MatrixError, Peer, Raw, ruma_response};
use ruma::api::federation::membership::prepare_join_event::v1;

use super::{make, room_and_user, template, versions};
use crate::FederationApi;

pub(crate) async fn prepare_join_event(
    api: FederationApi,
    peer: Peer<Raw>,
) -> Result<Response, MatrixError> {
    let (room_id, user) = room_and_user(&peer.body)?;
    let versions = versions(&peer.body)?;
    let wanted = (Membership::Join, Some(&versions[..]));
    let made = make(&api, &peer.origin, (&room_id, &user), wanted).await?;
    let mut response = v1::Response::new(template(&made)?);
    response.room_version = Some(made.version);
    ruma_response(response)
}
