//! The API of 2014, `/_matrix/client/api/v1`, as the guide of that year shows it.
//!
//! It is a view at the edge over the same accounts and rooms as everything else: tokens and rooms
//! of both APIs are interchangeable. Its rules differ in small things, which `request.rs` and
//! `curl.rs` hold; what events looked like is in `view.rs`. Start reading at [`router`].

mod ban_user;
mod create_room;
mod curl;
mod directory;
mod get_current_state;
mod get_login_types;
mod get_member_events;
mod get_message_events;
mod get_one_event;
mod get_registration_flows;
mod get_state_event_for_key;
mod get_state_events;
mod get_turn_server_info;
mod initial_sync;
mod invite_user;
mod join_room_by_id;
mod join_room_by_id_or_alias;
mod kick_user;
mod leave_room;
mod listen_to_new_events;
mod login;
mod login_fallback;
mod modern;
mod presence;
mod profile;
mod redact_event;
mod register;
mod request;
mod send_message_event;
mod send_state_event;
mod view;
mod walk;

use axum::{Router, middleware::from_fn, response::Response};
use http::{Method, StatusCode};
use myelin_http::{Routes, json_response};
use serde_json::Value;

use crate::{ClientApi, typing::create_typing_event};

/// The endpoints with what surrounds them.
pub(crate) fn router() -> Router<ClientApi> {
    routes().into_router().layer(from_fn(curl::indent))
}

/// The endpoints.
pub(crate) fn routes() -> Routes<ClientApi> {
    let all = acts().merge(accounts()).merge(directory::routes());
    login_fallback::add(all.merge(rooms()).merge(stream()))
}

fn acts() -> Routes<ClientApi> {
    twins("/createRoom", create_room::create_room)
        .merge(twins(
            "/join/{room}",
            join_room_by_id_or_alias::join_room_by_id_or_alias,
        ))
        .merge(twins("/rooms/{room}/ban", ban_user::ban_user))
        .merge(twins("/rooms/{room}/invite", invite_user::invite_user))
        .merge(twins(
            "/rooms/{room}/join",
            join_room_by_id::join_room_by_id,
        ))
        .merge(twins("/rooms/{room}/kick", kick_user::kick_user))
        .merge(twins(
            "/rooms/{room}/redact/{event}",
            redact_event::redact_event,
        ))
        .merge(twins("/rooms/{room}/leave", leave_room::leave_room))
        .merge(twins(
            "/rooms/{room}/send/{type}",
            send_message_event::send_message_event,
        ))
}

fn accounts() -> Routes<ClientApi> {
    let (get, post) = (&Method::GET, &Method::POST);
    Routes::new()
        .route(get, &path("/login"), get_login_types::get_login_types)
        .route(post, &path("/login"), login::login)
        .route(
            get,
            &path("/register"),
            get_registration_flows::get_registration_flows,
        )
        .route(post, &path("/register"), register::register)
        .route(
            get,
            &path("/voip/turnServer"),
            get_turn_server_info::get_turn_server_info,
        )
        .merge(presence::routes())
        .merge(profile::routes())
}

fn rooms() -> Routes<ClientApi> {
    let (get, put) = (&Method::GET, &Method::PUT);
    let mut routes = Routes::new()
        .route(
            get,
            &path("/rooms/{room}/initialSync"),
            get_current_state::get_current_state,
        )
        .route(
            get,
            &path("/rooms/{room}/members"),
            get_member_events::get_member_events,
        )
        .route(
            get,
            &path("/rooms/{room}/messages"),
            get_message_events::get_message_events,
        )
        .route(
            get,
            &path("/rooms/{room}/state"),
            get_state_events::get_state_events,
        )
        .route(
            put,
            &path("/rooms/{room}/typing/{user}"),
            create_typing_event,
        );
    // An empty state key may be left out, and the slash before it.
    for end in ["", "/", "/{key}"] {
        let path = path(&format!("/rooms/{{room}}/state/{{type}}{end}"));
        routes = routes
            .route(get, &path, get_state_event_for_key::get_state_event_for_key)
            .route(put, &path, send_state_event::send_state_event);
    }
    routes
}

fn stream() -> Routes<ClientApi> {
    let get = &Method::GET;
    Routes::new()
        .route(
            get,
            &path("/events"),
            listen_to_new_events::listen_to_new_events,
        )
        .route(get, &path("/events/{event}"), get_one_event::get_one_event)
        .route(get, &path("/initialSync"), initial_sync::initial_sync)
}

/// Each act has two forms: `POST`, which does it again each time, and `PUT` with a transaction id
/// behind, which does it once.
fn twins<F, Fut>(end: &str, handler: F) -> Routes<ClientApi>
where
    F: Fn(ClientApi, myelin_http::Client<myelin_http::Raw>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Response, crate::Error>> + Send,
{
    let with_txn = format!("{end}/{{txn}}");
    Routes::new()
        .route(&Method::POST, &path(end), handler.clone())
        .route(&Method::PUT, &path(&with_txn), handler)
}

fn path(end: &str) -> String {
    format!("/_matrix/client/api/v1{end}")
}

/// An answer. Its keys are sorted, as they were then.
fn reply(body: &Value) -> Response {
    json_response(StatusCode::OK, body)
}
