//! `POST /_matrix/federation/v1/get_missing_events/{roomId}`.

use myelin_http::{MatrixError, Peer};
use myelin_rooms::Missing;
use ruma::api::federation::event::get_missing_events::v1::{Request, Response};

use crate::{FederationApi, pdus, refusal::refusal};

/// Event ids that are looked at on either side: a room has few extremities.
const IDS_MAX: usize = 50;

pub(crate) async fn get_missing_events(
    api: FederationApi,
    Peer { origin, body }: Peer<Request>,
) -> Result<Response, MatrixError> {
    let mut read = api.rooms.store().read();
    let ids = |ids: &'_ [ruma::OwnedEventId]| -> Vec<String> {
        ids.iter().take(IDS_MAX).map(ToString::to_string).collect()
    };
    let (earliest, latest) = (ids(&body.earliest_events), ids(&body.latest_events));
    let earliest: Vec<&str> = earliest.iter().map(String::as_str).collect();
    let latest: Vec<&str> = latest.iter().map(String::as_str).collect();
    let place = (&*body.room_id, &*latest);
    let view = api.rooms.peer_view_before(&mut read, place, &origin).await;
    let mut view = view.map_err(refusal)?;
    let missing = Missing {
        earliest: &earliest,
        latest: &latest,
        limit: usize::try_from(u64::from(body.limit)).unwrap_or(usize::MAX),
        min_depth: i64::from(body.min_depth),
    };
    let events = api
        .rooms
        .serve_missing(&mut read, &mut view, &missing)
        .await;
    Ok(Response::new(pdus::raw(events.map_err(refusal)?)?))
}
