//! `GET /_matrix/client/v3/rooms/{roomId}/context/{eventId}`

use axum::response::Response as HttpResponse;
use myelin_http::{Client, MatrixError, Raw, ruma_response};
use myelin_rooms::Backfilled;
use myelin_store::events::Status;
use ruma::api::client::context::get_context::v3::Response;

use crate::{
    ClientApi, Error,
    events::{client_events, shown_events, viewer},
    history,
    parameters::{event_id, filter, limit, room_id},
};

pub(crate) async fn get_context(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<HttpResponse, Error> {
    let (room_id, event_id) = (room_id(&client.body)?, event_id(&client.body)?);
    let query = client.body.query()?;
    let (filter, limit) = (filter(&query)?, limit(&query)?);
    // The filter is about what stands around the event: of an unwanted room that is nothing.
    let limit = if filter.allows_room(room_id.as_str()) {
        limit
    } else {
        0
    };
    let mut read = api.app.store.read();
    let found = api
        .rooms
        .visible_event_in(&mut read, &client.user, (&room_id, &event_id))
        .await?;
    let not_found = || MatrixError::not_found("Event not found.");
    // One that the room refuses may be shown as sticky, but stands beside nothing.
    let found = found.filter(|(_, found)| found.event.status == Status::Accepted);
    let (mut view, event) = found.ok_or_else(not_found)?;
    let around = (limit, &filter);
    let mut context = api
        .syncs
        .context(&mut read, &mut view, event.clone(), around)
        .await?;
    // What happened before may be known to others.
    if let Some(gap) = &context.gap
        && history::ask_others(&api, &view, &room_id, gap).await? == Backfilled::Changed
    {
        context = api
            .syncs
            .context(&mut read, &mut view, event, around)
            .await?;
    }
    let viewer = viewer(&client);
    let shown = |events: &[_]| shown_events(&api, events, &room_id, &viewer);
    let mut response = Response::new();
    response.start = Some(context.start.to_string());
    response.end = Some(context.end.to_string());
    response.events_before = shown(&context.before)?;
    response.event = shown(std::slice::from_ref(&context.event))?.pop();
    response.events_after = shown(&context.after)?;
    response.state = client_events(&api, &context.state, &room_id, &viewer)?;
    Ok(ruma_response(response)?)
}
