//! `GET /_matrix/federation/v1/backfill/{roomId}`.

use myelin_http::{MatrixError, Peer};
use ruma::{
    MilliSecondsSinceUnixEpoch, UInt,
    api::federation::backfill::get_backfill::v1::{Request, Response},
};

use crate::{FederationApi, pdus, refusal::refusal};

/// Event ids that are looked at: where a room was forked there are some.
const IDS_MAX: usize = 50;

pub(crate) async fn get_backfill(
    api: FederationApi,
    Peer { origin, body }: Peer<Request>,
) -> Result<Response, MatrixError> {
    let mut read = api.rooms.store().read();
    let view = api.rooms.peer_view(&mut read, &body.room_id, &origin).await;
    let mut view = view.map_err(refusal)?;
    let from: Vec<&str> = body.v.iter().take(IDS_MAX).map(|id| id.as_str()).collect();
    let limit = usize::try_from(u64::from(body.limit)).unwrap_or(usize::MAX);
    let events = api
        .rooms
        .serve_backfill(&mut read, &mut view, (&from, limit))
        .await;
    let server = &api.app.server;
    let now = MilliSecondsSinceUnixEpoch(UInt::new_saturating(server.now_ms()));
    let pdus = pdus::raw(events.map_err(refusal)?)?;
    Ok(Response::new(server.name.clone(), now, pdus))
}
