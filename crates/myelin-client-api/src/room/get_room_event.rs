//! `GET /_matrix/client/v3/rooms/{roomId}/event/{eventId}`

use myelin_http::{Client, MatrixError};
use ruma::api::client::room::get_room_event::v3::{Request, Response};

use crate::{
    ClientApi, Error,
    events::{find_event_in, shown_events, viewer},
};

pub(crate) async fn get_room_event(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let place = (&*client.body.room_id, &*client.body.event_id);
    let mut read = api.app.store.read();
    let found = find_event_in(&api, &mut read, &client.user, place).await?;
    let not_found = || MatrixError::not_found("Event not found.");
    let found = found.ok_or_else(not_found)?;
    let room = found.event.room;
    let shown = api.syncs.annotate(&mut read, room, vec![found]).await?;
    let user = client.user_number;
    let shown = api.syncs.bundled_event(&mut read, user, shown).await?;
    let mut events = shown_events(&api, &shown, place.0, &viewer(&client))?;
    Ok(Response::new(events.pop().ok_or_else(not_found)?))
}
