//! `GET /_matrix/federation/v1/query/directory`

use myelin_http::Peer;
use ruma::api::federation::query::get_room_information::v1::{Request, Response};

use crate::{Error, FederationApi};

pub(crate) async fn get_room_information(
    api: FederationApi,
    peer: Peer<Request>,
) -> Result<Response, Error> {
    let alias = &peer.body.room_alias;
    let target = api.rooms.resolve_local_alias(alias).await?;
    Ok(Response::new(target.room_id, target.servers))
}
