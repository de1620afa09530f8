//! `GET /_matrix/client/api/v1/events`

use std::{
    collections::{HashMap, hash_map::Entry},
    time::Duration,
};

use axum::response::Response;
use http::{HeaderValue, header};
use myelin_http::{Client, MatrixError, Query, Raw};
use myelin_store::{Read, events::StoredEvent};
use myelin_sync::{EventsRequest, NewEvents, StreamToken, TokenError};
use ruma::{OwnedRoomId, presence::PresenceState};
use serde_json::json;

use super::{
    modern, reply, request,
    view::{Object, RoomView, is_hidden},
};
use crate::{ClientApi, Error, presence::note_poll};

/// How long to wait, unless the client says otherwise.
const TIMEOUT_MS: u64 = 30_000;

pub(super) async fn listen_to_new_events(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let query = client.body.query()?;
    // The number of events is the server's choice, but what is given must be a number.
    query.number("limit")?;
    let request = EventsRequest {
        user: client.user_number,
        from: from(&query)?,
        timeout: Duration::from_millis(query.number("timeout")?.unwrap_or(TIMEOUT_MS)),
    };
    note_poll(&api, &client, &PresenceState::Online, request.timeout);
    let new = tokio::select! {
        new = api.syncs.new_events(&request) => new?,
        // An answer with nothing in it lets the client poll the next node at once.
        () = api.app.shutdown.begun() => {
            let at_once = EventsRequest { timeout: Duration::ZERO, ..request.clone() };
            api.syncs.new_events(&at_once).await?
        }
    };
    let chunk = chunk(&api, &client, &new).await?;
    let token = |position| StreamToken::at(position).to_string();
    let answer = json!({ "chunk": chunk, "end": token(new.end), "start": token(new.start) });
    let mut response = reply(&answer);
    // The same address is asked again, and the answer is another one then.
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Where to begin; None: now.
fn from(query: &Query) -> Result<Option<StreamToken>, MatrixError> {
    match query.get("from")? {
        None | Some("" | "END") => Ok(None),
        Some(token) => {
            let token = token
                .parse()
                .map_err(|error: TokenError| MatrixError::invalid_param(format!("{error}.")));
            token.map(Some)
        }
    }
}

async fn chunk(
    api: &ClientApi,
    client: &Client<Raw>,
    new: &NewEvents,
) -> Result<Vec<Object>, Error> {
    let mut read = api.app.store.read();
    let viewer = request::viewer(client);
    let mut rooms: HashMap<i64, (OwnedRoomId, RoomView)> = HashMap::new();
    let mut chunk = Vec::new();
    for stored in &new.events {
        let (room_id, view) = match rooms.entry(stored.room) {
            Entry::Occupied(room) => room.into_mut(),
            Entry::Vacant(place) => place.insert(open(api, &mut read, client, stored).await?),
        };
        let event = modern::timeline_event(api, &mut read, stored, (&*room_id, &viewer)).await?;
        if !is_hidden(&event) {
            chunk.extend(view.group(event));
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
