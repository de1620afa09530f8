//! `GET /_matrix/federation/v1/publicRooms`

use axum::response::Response;
use myelin_http::{Peer, Raw};
use myelin_rooms::PublicRoomsQuery;

use super::page;
use crate::{Error, FederationApi};

pub(crate) async fn get_public_rooms(
    api: FederationApi,
    peer: Peer<Raw>,
) -> Result<Response, Error> {
    let query = peer.body.query()?;
    let wanted = PublicRoomsQuery {
        limit: query.number("limit")?,
        since: query.get("since")?.map(str::to_owned),
        filter: None,
        include_all_networks: query.get("include_all_networks")? == Some("true"),
        third_party_instance_id: query.get("third_party_instance_id")?.map(str::to_owned),
    };
    page(&api, wanted).await
}
