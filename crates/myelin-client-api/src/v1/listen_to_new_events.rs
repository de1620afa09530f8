//! `GET /_matrix/client/api/v1/events`

use std::collections::{HashMap, hash_map::Entry};

use axum::response::Response;
use myelin_http::{Client, Raw};
use myelin_store::{Read, events::StoredEvent};
use myelin_sync::NewEvents;
use ruma::OwnedRoomId;
use serde_json::Value;

use super::{
    modern, presence, request,
    view::{RoomView, is_hidden},
};
use crate::{ClientApi, Error, peeking};

pub(super) async fn listen_to_new_events(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let new = peeking::poll(&api, &client).await?;
    let mut chunk = chunk(&api, &client, &new).await?;
    chunk.extend(new.presence.iter().map(presence::event));
    Ok(peeking::answer(&new, &chunk))
}

async fn chunk(
    api: &ClientApi,
    client: &Client<Raw>,
    new: &NewEvents,
) -> Result<Vec<Value>, Error> {
    let mut read = api.app.store.read();
    let viewer = request::viewer(client);
    let mut rooms: HashMap<i64, (OwnedRoomId, RoomView)> = HashMap::new();
    let mut chunk = Vec::new();
    for shown in &new.events {
        let stored = &shown.event;
        let (room_id, view) = match rooms.entry(stored.room) {
            Entry::Occupied(room) => room.into_mut(),
            Entry::Vacant(place) => place.insert(open(api, &mut read, client, stored).await?),
        };
        let event = modern::shown_event(api, shown, (&*room_id, &viewer))?;
        if !is_hidden(&event) {
            chunk.extend(view.group(event).into_iter().map(Value::Object));
        }
    }
    Ok(chunk)
}

async fn open(
    api: &ClientApi,
    read: &mut Read,
    client: &Client<Raw>,
    shown: &StoredEvent,
) -> Result<(OwnedRoomId, RoomView), Error> {
    let room_id = api.rooms.room_id(shown.room).await?;
    let viewer = request::viewer(client);
    let view = modern::room_view(api, read, (&room_id, &client.user), (shown, &viewer)).await?;
    Ok((room_id, view))
}
