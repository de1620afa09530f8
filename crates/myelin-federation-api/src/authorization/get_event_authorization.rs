//! `GET /_matrix/federation/v1/event_auth/{roomId}/{eventId}`.

use axum::response::Response;
use myelin_http::{MatrixError, Parse, Peer, Raw};
use ruma::api::federation::authorization::get_event_authorization::v1::Request;

use crate::{FederationApi, pdus, refusal::refusal};

pub(crate) async fn get_event_authorization(
    api: FederationApi,
    Peer { origin, body }: Peer<Raw>,
) -> Result<Response, MatrixError> {
    let request = Request::parse(body)?;
    let mut read = api.rooms.store().read();
    let event_id = request.event_id.as_str();
    let place = (&*request.room_id, &[event_id][..]);
    let view = api.rooms.peer_view_before(&mut read, place, &origin).await;
    let view = view.map_err(refusal)?;
    let chain = api
        .rooms
        .served_auth_chain(&mut read, &view, event_id)
        .await;
    let lists = vec![("auth_chain", chain.map_err(refusal)?)];
    pdus::streamed(api.rooms, view, lists).await
}
