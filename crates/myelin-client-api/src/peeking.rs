//! The event stream and the overviews of the first API in their last form, deprecated but for one
//! purpose: to look into a world readable room without joining it.
//!
//! The API of 2014 answers from the same read models, in another form.

mod get_current_state;
mod get_one_event;
mod initial_sync;
mod listen_to_new_events;
mod room_info;

use std::time::Duration;

use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use myelin_http::{Client, MatrixError, Query, Raw, Routes, json_response};
use myelin_sync::{EventsRequest, NewEvents, StreamToken, TokenError, UserPresence};
use ruma::{RoomId, api::client::peeking, presence::PresenceState};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{ClientApi, Error, presence::note_poll};

/// How long a poll waits, unless the client says otherwise.
const TIMEOUT_MS: u64 = 30_000;

/// Events of each room, unless the client asks otherwise.
const LIMIT: u64 = 10;
/// Most events of each room: who wants more of one pages through it.
const LIMIT_MAX: u64 = 100;

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .raw_endpoint::<peeking::get_current_state::v3::Request, _, _, _, _>(
            get_current_state::get_current_state,
        )
        .raw_endpoint::<get_one_event::Request, _, _, _, _>(get_one_event::get_one_event)
        .raw_endpoint::<initial_sync::Request, _, _, _, _>(initial_sync::initial_sync)
        .raw_endpoint::<peeking::listen_to_new_events::v3::Request, _, _, _, _>(
            listen_to_new_events::listen_to_new_events,
        )
}

/// Waits for what is new, in the user's rooms or in the one that the request names.
pub(crate) async fn poll(api: &ClientApi, client: &Client<Raw>) -> Result<NewEvents, Error> {
    let query = client.body.query()?;
    // The number of events is the server's choice, but what is given must be a number.
    query.number("limit")?;
    let request = EventsRequest {
        user: client.user_number,
        room: room(api, client, &query).await?,
        presence: api.app.settings.presence,
        from: from(&query)?,
        timeout: Duration::from_millis(query.number("timeout")?.unwrap_or(TIMEOUT_MS)),
    };
    note_poll(api, client, &PresenceState::Online, request.timeout);
    let new = tokio::select! {
        new = api.syncs.new_events(&request) => new?,
        // An answer with nothing in it lets the client poll the next node at once.
        () = api.app.shutdown.begun() => {
            let at_once = EventsRequest { timeout: Duration::ZERO, ..request.clone() };
            api.syncs.new_events(&at_once).await?
        }
    };
    Ok(new)
}

/// What is known of the presence of a user and of the members of these rooms; where presence is
/// switched off, of the user alone.
pub(crate) async fn presence_in_rooms(
    api: &ClientApi,
    user: i64,
    rooms: &[i64],
) -> Result<Vec<UserPresence>, Error> {
    let told = if api.app.settings.presence {
        rooms
    } else {
        &[]
    };
    Ok(api.syncs.presence_in_rooms(user, told).await?)
}

/// A presence event in today's form.
fn presence_event(known: &UserPresence) -> Value {
    let UserPresence { user, presence } = known;
    let mut content = json!({
        "currently_active": presence.currently_active(),
        "presence": presence.state_name(),
    });
    if let Some(ago_ms) = presence.last_active_ago_ms {
        content["last_active_ago"] = ago_ms.into();
    }
    if let Some(status_msg) = &presence.status_msg {
        content["status_msg"] = status_msg.as_str().into();
    }
    json!({ "content": content, "sender": user, "type": "m.presence" })
}

/// The answer to a poll, with its events in the form of one API or the other.
pub(crate) fn answer(new: &NewEvents, chunk: &impl Serialize) -> Response {
    let body = json!({
        "chunk": chunk,
        "end": new.end.to_string(),
        "start": new.start.to_string(),
    });
    let mut response = json_response(StatusCode::OK, &body);
    // The same address is asked again, and the answer is another one then.
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// How many events of each room are shown.
pub(crate) fn limit(query: &Query) -> Result<usize, MatrixError> {
    let limit = query.number("limit")?.filter(|limit| *limit > 0);
    let limit = limit.unwrap_or(LIMIT).min(LIMIT_MAX);
    Ok(usize::try_from(limit).unwrap_or_default())
}

/// The room to look into, if the user may.
async fn room(api: &ClientApi, client: &Client<Raw>, query: &Query) -> Result<Option<i64>, Error> {
    let Some(id) = query.get("room_id")? else {
        return Ok(None);
    };
    let room_id = RoomId::parse(id)
        .map_err(|_| MatrixError::invalid_param(format!("{id:?} is not a room id.")))?;
    let mut read = api.app.store.read();
    let view = api.rooms.view(&mut read, &room_id, &client.user).await?;
    Ok(Some(view.room))
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
