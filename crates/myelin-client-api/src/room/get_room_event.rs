//! `GET /_matrix/client/v3/rooms/{roomId}/event/{eventId}`

use myelin_http::{Client, MatrixError};
use ruma::api::client::room::get_room_event::v3::{Request, Response};

use crate::{
    ClientApi, Error,
    events::{shown_events, viewer},
};

pub(crate) async fn get_room_event(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let place = (&*client.body.room_id, &*client.body.event_id);
    let mut read = api.app.store.read();
    let found = api
        .rooms
        .visible_event_in(&mut read, &client.user, place)
        .await?;
    let not_found = || MatrixError::not_found("Event not found.");
    let (mut view, found) = found.ok_or_else(not_found)?;
    let found = vec![found];
    let shown = api.syncs.annotate(&mut read, view.room, found).await?;
    let shown = api.syncs.bundled_event(&mut read, &mut view, shown).await?;
    let mut events = shown_events(&api, &shown, place.0, &viewer(&client))?;
    Ok(Response::new(events.pop().ok_or_else(not_found)?))
}
