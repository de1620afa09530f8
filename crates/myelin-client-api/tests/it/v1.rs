//! `/_matrix/client/api/v1`, as clients of 2014 call it: the token in the query, JSON under a form's
//! content type.

mod acceptance;
mod create_room;
mod directory;
mod events;
mod every_endpoint;
mod initial_sync;
mod levels;
mod login;
mod login_fallback_page;
mod members;
mod membership;
mod messages;
mod moderation;
mod one_event;
mod presence;
mod presence_status;
mod profile;
mod register;
mod resume;
mod room_initial_sync;
mod room_state;
mod send;
mod transactions;

use http::{Method, Request};
use myelin_testkit::{Answer, TestServer, User, encode};
use serde_json::Value;

async fn get(server: &TestServer, user: &User, path: &str) -> Answer {
    call(server, Method::GET, &with_token(user, path), "").await
}

async fn post(server: &TestServer, user: &User, path: &str, body: Value) -> Answer {
    call(
        server,
        Method::POST,
        &with_token(user, path),
        &body.to_string(),
    )
    .await
}

async fn put(server: &TestServer, user: &User, path: &str, body: Value) -> Answer {
    let path = with_token(user, path);
    call(server, Method::PUT, &path, &body.to_string()).await
}

/// As curl does it; the path continues `/_matrix/client/api/v1`.
async fn call(server: &TestServer, method: Method, path: &str, body: &str) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(format!("/_matrix/client/api/v1{path}"))
        .header("User-Agent", "curl/7.88.1")
        .header("Content-Type", "application/x-www-form-urlencoded");
    server.call(request.body(body.to_owned()).unwrap()).await
}

fn with_token(user: &User, path: &str) -> String {
    let separator = if path.contains('?') { '&' } else { '?' };
    format!("{path}{separator}access_token={}", encode(&user.token))
}

/// A path below a room, its id encoded as the guide does it.
fn room_path(room: &str, rest: &str) -> String {
    format!("/rooms/{}/{rest}", encode(room))
}
