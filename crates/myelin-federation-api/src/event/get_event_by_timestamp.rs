//! `GET /_matrix/federation/v1/timestamp_to_event/{roomId}`.

use myelin_http::{MatrixError, Peer};
use ruma::{
    MilliSecondsSinceUnixEpoch, UInt,
    api::{
        Direction,
        federation::event::get_event_by_timestamp::v1::{Request, Response},
    },
};

use crate::{FederationApi, refusal::refusal};

pub(crate) async fn get_event_by_timestamp(
    api: FederationApi,
    Peer { origin, body }: Peer<Request>,
) -> Result<Response, MatrixError> {
    let near = (i64::from(body.ts.get()), body.dir == Direction::Forward);
    let found = api
        .rooms
        .served_event_near(&origin, &body.room_id, near)
        .await;
    let event = found.map_err(refusal)?;
    let event_id = event
        .id
        .as_str()
        .try_into()
        .map_err(MatrixError::internal)?;
    let time = UInt::try_from(event.origin_server_ts).unwrap_or_default();
    Ok(Response::new(event_id, MilliSecondsSinceUnixEpoch(time)))
}
