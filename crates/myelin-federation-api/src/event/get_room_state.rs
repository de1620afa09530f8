//! `GET /_matrix/federation/v1/state/{roomId}`.

use axum::response::Response;
use myelin_http::{MatrixError, Parse, Peer, Raw};
use ruma::api::federation::event::get_room_state::v1::Request;

use crate::{FederationApi, pdus, refusal::refusal};

pub(crate) async fn get_room_state(
    api: FederationApi,
    Peer { origin, body }: Peer<Raw>,
) -> Result<Response, MatrixError> {
    let request = Request::parse(body)?;
    let mut read = api.rooms.store().read();
    let event_id = request.event_id.as_str();
    let place = (&*request.room_id, &[event_id][..]);
    let view = api.rooms.peer_view_before(&mut read, place, &origin).await;
    let view = view.map_err(refusal)?;
    let state = api.rooms.served_state(&mut read, &view, event_id).await;
    let state = state.map_err(refusal)?;
    let lists = vec![("auth_chain", state.auth_chain), ("pdus", state.state)];
    pdus::streamed(api.rooms, view, lists).await
}
