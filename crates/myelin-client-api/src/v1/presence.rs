//! `GET` and `PUT /_matrix/client/api/v1/presence/{userId}/status`, and
//! `GET` and `POST /_matrix/client/api/v1/presence/list/{userId}`

use axum::response::Response;
use http::{Method, StatusCode};
use myelin_http::{Client, MatrixError, Raw, Routes};
use myelin_store::PresenceState;
use myelin_sync::{PresenceError, ShownPresence, UserPresence};
use ruma::{CanonicalJsonObject, CanonicalJsonValue, api::error::ErrorCode};
use serde_json::{Value, json};

use super::{path, reply, request, view::Object};
use crate::{ClientApi, Error, peeking, presence::set, require_self::require_self_in_path};

pub(super) fn routes() -> Routes<ClientApi> {
    let status = path("/presence/{user}/status");
    let list = path("/presence/list/{user}");
    Routes::new()
        .route(&Method::GET, &status, get_status)
        .route(&Method::PUT, &status, put_status)
        .route(&Method::GET, &list, get_list)
        .route(&Method::POST, &list, post_list)
}

/// An event of the stream.
pub(super) fn event(known: &UserPresence) -> Value {
    let mut content = content(known);
    content.insert("user_id".to_owned(), known.user.as_str().into());
    json!({ "content": content, "type": "m.presence" })
}

/// What such an event says, but for whose presence it is.
pub(super) fn content(known: &UserPresence) -> Object {
    shown(&known.presence)
}

fn shown(presence: &ShownPresence) -> Object {
    let mut shown = Object::new();
    shown.insert("presence".to_owned(), presence.state_name().into());
    if let Some(ago_ms) = presence.last_active_ago_ms {
        shown.insert("last_active_ago".to_owned(), ago_ms.into());
    }
    if let Some(status_msg) = &presence.status_msg {
        shown.insert("status_msg".to_owned(), status_msg.as_str().into());
    }
    shown
}

async fn get_status(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let user = request::user_id(request::parameter(&client.body, 0))?;
    if !api.app.settings.presence {
        return Ok(reply(&json!({ "presence": "offline" })));
    }
    let found = api.syncs.presence(client.user_number, &user).await;
    let presence = found.map_err(|error| match error {
        // In 2014 there was one answer for both.
        PresenceError::UnknownUser(_) | PresenceError::NotShared(_) => {
            MatrixError::not_found("Presence information not visible.").into()
        }
        error @ PresenceError::Store(_) => Error::from(error),
    })?;
    Ok(reply(&Value::Object(shown(&presence))))
}

async fn put_status(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    require_self_in_path(&client)?;
    let mut body = request::body(&client.body)?;
    let state = match request::text(&mut body, "presence")? {
        Some(state) => Some(state),
        // Its name until September 2014.
        None => request::text(&mut body, "state")?,
    };
    let state = match state.as_deref() {
        Some("online" | "free_for_chat") => PresenceState::Online,
        Some("unavailable") => PresenceState::Unavailable,
        Some("offline") => PresenceState::Offline,
        _ => return Err(unable("state").into()),
    };
    let status_msg = request::text(&mut body, "status_msg")?;
    // It is the server that knows.
    body.remove("last_active_ago");
    if !body.is_empty() {
        return Err(unable("state").into());
    }
    set(&api, &client, state, status_msg.as_deref())?;
    Ok(reply(&json!({})))
}

/// The list of those whose presence a user is told of: since rooms decide that, whoever shares one.
async fn get_list(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    require_self_in_path(&client)?;
    let rooms = api.syncs.overview(client.user_number, false).await?.rooms;
    let rooms: Vec<i64> = rooms.iter().map(|own| own.room).collect();
    let known = peeking::presence_in_rooms(&api, client.user_number, &rooms).await?;
    let others = known
        .iter()
        .filter(|known| known.user != client.user.as_str());
    let list = others.map(|known| {
        let mut entry = content(known);
        entry.insert("user_id".to_owned(), known.user.as_str().into());
        Value::Object(entry)
    });
    Ok(reply(&list.collect()))
}

/// Takes the wish to add and remove users. Rooms decide who is on the list, so it changes nothing.
async fn post_list(_: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    require_self_in_path(&client)?;
    let body = request::body(&client.body)?;
    for key in ["invite", "drop"] {
        check_users(&body, key)?;
    }
    Ok(reply(&json!({})))
}

fn check_users(body: &CanonicalJsonObject, key: &str) -> Result<(), MatrixError> {
    let users = match body.get(key) {
        None => return Ok(()),
        Some(CanonicalJsonValue::Array(users)) => users,
        Some(_) => return Err(unable(key)),
    };
    for user in users {
        match user {
            CanonicalJsonValue::String(id) => request::user_id(id)?,
            _ => return Err(unable(key)),
        };
    }
    Ok(())
}

fn unable(what: &str) -> MatrixError {
    let message = format!("Unable to parse {what}.");
    MatrixError::new(StatusCode::BAD_REQUEST, ErrorCode::Unknown, message)
}
