//! `GET /_matrix/client/v3/events`

use std::collections::{HashMap, hash_map::Entry};

use axum::response::Response;
use myelin_http::{Client, MatrixError, Raw};
use ruma::OwnedRoomId;
use serde_json::value::{RawValue, to_raw_value};

use super::{answer, poll, presence_event};
use crate::{
    ClientApi, Error,
    events::{shown_event, viewer},
};

pub(crate) async fn listen_to_new_events(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let new = poll(&api, &client).await?;
    let viewer = viewer(&client);
    let seen = (&viewer, api.app.server.now_ms());
    let mut rooms: HashMap<i64, OwnedRoomId> = HashMap::new();
    let mut chunk: Vec<Box<RawValue>> = Vec::with_capacity(new.events.len());
    for shown in &new.events {
        let room = shown.event.room;
        let room_id = match rooms.entry(room) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(api.rooms.room_id(room).await?),
        };
        chunk.push(shown_event(shown, room_id, seen)?);
    }
    for known in &new.presence {
        let event = to_raw_value(&presence_event(known));
        chunk.push(event.map_err(MatrixError::internal)?);
    }
    Ok(answer(&new, &chunk))
}
