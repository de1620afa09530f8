//! `GET /_matrix/federation/v1/state_ids/{roomId}`.

use myelin_http::{MatrixError, Peer};
use ruma::{
    OwnedEventId,
    api::federation::event::get_room_state_ids::v1::{Request, Response},
};

use crate::{FederationApi, refusal::refusal};

pub(crate) async fn get_room_state_ids(
    api: FederationApi,
    Peer { origin, body }: Peer<Request>,
) -> Result<Response, MatrixError> {
    let mut read = api.rooms.store().read();
    let event_id = body.event_id.as_str();
    let place = (&*body.room_id, &[event_id][..]);
    let view = api.rooms.peer_view_before(&mut read, place, &origin).await;
    let view = view.map_err(refusal)?;
    let state = api.rooms.served_state(&mut read, &view, event_id).await;
    let state = state.map_err(refusal)?;
    let mut lists = Vec::new();
    for numbers in [&state.auth_chain, &state.state] {
        let ids = api.rooms.served_ids(&mut read, numbers).await;
        let ids = ids.map_err(MatrixError::internal)?.into_iter();
        lists.push(
            ids.filter_map(|id| OwnedEventId::try_from(id).ok())
                .collect(),
        );
    }
    let pdu_ids = lists.pop().unwrap_or_default();
    Ok(Response::new(lists.pop().unwrap_or_default(), pdu_ids))
}
