//! `POST /_matrix/federation/v1/publicRooms`

use axum::response::Response;
use myelin_http::{Peer, Raw};

use super::page;
use crate::{Error, FederationApi};

pub(crate) async fn get_public_rooms_filtered(
    api: FederationApi,
    peer: Peer<Raw>,
) -> Result<Response, Error> {
    page(&api, peer.body.json()?).await
}
