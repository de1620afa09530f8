//! The API of 2014, `/_matrix/client/api/v1`, as the guide of that year shows it.
//!
//! It is a view at the edge over the same accounts and rooms as everything else: tokens and rooms
//! of both APIs are interchangeable. Its rules differ in small things, which `request.rs` and
//! `curl.rs` hold; what events looked like is in `view.rs`. Start reading at [`router`].

mod create_room;
mod curl;
mod get_login_types;
mod initial_sync;
mod invite_user;
mod join_room_by_id;
mod join_room_by_id_or_alias;
mod leave_room;
mod listen_to_new_events;
mod login;
mod login_fallback;
mod modern;
mod register;
mod request;
mod send_message_event;
mod view;

use axum::{Router, middleware::from_fn, response::Response};
use http::{Method, StatusCode};
use myelin_http::{Routes, json_response};
use serde_json::Value;

use crate::ClientApi;

/// The endpoints with what surrounds them.
pub(crate) fn router() -> Router<ClientApi> {
    let routes = twins("/createRoom", create_room::create_room)
        .merge(twins(
            "/join/{room}",
            join_room_by_id_or_alias::join_room_by_id_or_alias,
        ))
        .merge(twins("/rooms/{room}/invite", invite_user::invite_user))
        .merge(twins(
            "/rooms/{room}/join",
            join_room_by_id::join_room_by_id,
        ))
        .merge(twins("/rooms/{room}/leave", leave_room::leave_room))
        .merge(twins(
            "/rooms/{room}/send/{type}",
            send_message_event::send_message_event,
        ))
        .route(
            &Method::GET,
            &path("/events"),
            listen_to_new_events::listen_to_new_events,
        )
        .route(
            &Method::GET,
            &path("/initialSync"),
            initial_sync::initial_sync,
        )
        .route(
            &Method::GET,
            &path("/login"),
            get_login_types::get_login_types,
        )
        .route(&Method::POST, &path("/login"), login::login)
        .route(&Method::POST, &path("/register"), register::register);
    login_fallback::add(routes)
        .into_router()
        .layer(from_fn(curl::indent))
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
