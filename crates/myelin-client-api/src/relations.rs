//! What is said about an event.

mod get_relating_events;
mod get_relating_events_with_rel_type;
mod get_relating_events_with_rel_type_and_event_type;

use axum::response::Response as HttpResponse;
use myelin_http::{Client, MatrixError, Query, Raw, Routes, ruma_response};
use myelin_store::relations::DEPTH_MAX;
use myelin_sync::{Direction, PageRequest, Related, Relating, filter::EventFilter};
use ruma::{
    RoomId, UInt,
    api::client::relations::{
        get_relating_events::v1::{Request as GetRelatingEvents, Response},
        get_relating_events_with_rel_type::v1::Request as GetRelatingEventsWithRelType,
        get_relating_events_with_rel_type_and_event_type::v1::Request as GetRelatingEventsWithRelTypeAndEventType,
    },
};

use crate::{
    ClientApi, Error,
    events::{shown_events, viewer},
    parameters::{event_id, limit, room_id, token},
};

/// `recurse` as clients call it at a server that names no version with it.
const RECURSE_UNSTABLE: &str = "org.matrix.msc3981.recurse";

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .raw_endpoint::<GetRelatingEvents, _, _, _, _>(get_relating_events::get_relating_events)
        .raw_endpoint::<GetRelatingEventsWithRelType, _, _, _, _>(
            get_relating_events_with_rel_type::get_relating_events_with_rel_type,
        )
        .raw_endpoint::<GetRelatingEventsWithRelTypeAndEventType, _, _, _, _>(
            get_relating_events_with_rel_type_and_event_type::get_relating_events_with_rel_type_and_event_type,
        )
}

/// Answers with the events that say something about the event that the path names.
async fn relating_events(
    api: ClientApi,
    client: Client<Raw>,
    (rel_type, event_type): (Option<&str>, Option<&str>),
) -> Result<HttpResponse, Error> {
    let (room_id, parent) = (room_id(&client.body)?, event_id(&client.body)?);
    let query = client.body.query()?;
    let filter = EventFilter::default();
    let request = PageRequest {
        from: token(&query, "from")?,
        to: token(&query, "to")?,
        direction: direction(&query)?,
        limit: limit(&query)?,
        filter: &filter,
        across: None,
    };
    let recurse = flag(&query, "recurse")?.or(flag(&query, RECURSE_UNSTABLE)?);
    let mut read = api.app.store.read();
    let not_found = || MatrixError::not_found("Event not found.");
    let found = api
        .rooms
        .visible_event_in(&mut read, &client.user, (&room_id, &parent))
        .await?;
    let (mut view, _) = found.ok_or_else(not_found)?;
    let relating = Relating {
        parent: parent.as_str(),
        rel_type,
        event_type,
        recurse: recurse == Some(true),
    };
    let related = api
        .syncs
        .related(&mut read, &mut view, (request, relating))
        .await?;
    let mut response = answer(&api, &client, &room_id, &related)?;
    response.prev_batch = query.get("from")?.map(str::to_owned);
    response.recursion_depth = recurse.map(depth);
    Ok(ruma_response(response)?)
}

fn answer(
    api: &ClientApi,
    client: &Client<Raw>,
    room_id: &RoomId,
    related: &Related,
) -> Result<Response, Error> {
    let chunk = shown_events(api, &related.events, room_id, &viewer(client))?;
    let mut response = Response::new(chunk);
    response.next_batch = related.end.map(|end| end.to_string());
    Ok(response)
}

/// How deep relations were followed.
fn depth(recurse: bool) -> UInt {
    let depth = if recurse { DEPTH_MAX } else { 1 };
    UInt::try_from(depth).unwrap_or_default()
}

fn direction(query: &Query) -> Result<Direction, MatrixError> {
    match query.get("dir")? {
        Some("b") | None => Ok(Direction::Backward),
        Some("f") => Ok(Direction::Forward),
        Some(_) => Err(MatrixError::invalid_param("`dir` is `b` or `f`.")),
    }
}

fn flag(query: &Query, key: &str) -> Result<Option<bool>, MatrixError> {
    match query.get(key)? {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(MatrixError::invalid_param(format!(
            "`{key}` is `true` or `false`."
        ))),
    }
}

/// A part of the path that is a name.
fn name(raw: &Raw, index: usize) -> String {
    raw.path.get(index).cloned().unwrap_or_default()
}
