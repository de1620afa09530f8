//! The adapter, the layers and the wire errors, through a router as the surfaces build it.

#![expect(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod peer;
mod request_log;
mod serve;
mod support;

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{Router, body::Body, response::Response};
use bytes::Bytes;
use http::{Method, StatusCode};
use hyper::body::Frame;
use myelin_http::{App, Client, MatrixError, Public, Raw, Routes, finish, json_response};
use myelin_store::StoreError;
use ruma::{
    api::client::{
        alias::get_alias, message::send_message_event, room::create_room, state::send_state_event,
    },
    event_id, room_id,
};
use serde_json::json;
use tempfile::TempDir;

use support::{app, send, token};

/// A body of which nothing ever comes.
struct Silent;

impl hyper::body::Body for Silent {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Pending
    }
}

const SEND: &str = "/_matrix/client/v3/rooms/%21room:example.org/send/m.room.message/txn";

async fn send_message(
    _: App,
    req: Client<send_message_event::v3::Request>,
) -> Result<send_message_event::v3::Response, MatrixError> {
    assert_eq!(req.user, "@alice:example.org");
    assert_eq!(req.body.room_id, "!room:example.org");
    let event_id = event_id!("$event").to_owned();
    Ok(send_message_event::v3::Response::new(event_id))
}

async fn set_state(
    _: App,
    req: Client<send_state_event::v3::Request>,
) -> Result<send_state_event::v3::Response, MatrixError> {
    Err(MatrixError::not_found(format!("<{}>", req.body.state_key)))
}

async fn new_room(
    _: App,
    _: Public<create_room::v3::Request>,
) -> Result<create_room::v3::Response, MatrixError> {
    let room_id = room_id!("!room:example.org").to_owned();
    Ok(create_room::v3::Response::new(room_id))
}

async fn alias(
    _: App,
    req: Public<get_alias::v3::Request>,
) -> Result<get_alias::v3::Response, MatrixError> {
    Err(MatrixError::not_found(req.body.room_alias.to_string()))
}

async fn old(_: App, _: Client<Raw>) -> Result<Response, MatrixError> {
    Ok(json_response(StatusCode::OK, &json!({})))
}

async fn panic(_: App, _: Public<Raw>) -> Result<Response, MatrixError> {
    panic!("a secret of the handler");
}

async fn fail(_: App, req: Public<Raw>) -> Result<Response, MatrixError> {
    let source = Arc::new(io::Error::other("a secret of the database"));
    Err(match req.body.path[0].as_str() {
        "unavailable" => StoreError::Unavailable(source),
        "contended" => StoreError::Contended,
        "full" => StoreError::Full(source),
        _ => StoreError::Driver(source),
    }
    .into())
}

fn router(app: &App) -> Router {
    let routes = Routes::<App>::new()
        .endpoint(send_message)
        .endpoint(set_state)
        .endpoint(new_room)
        .endpoint(alias)
        .route(&Method::GET, "/_matrix/client/api/v1/events", old)
        .route(&Method::GET, "/panic", panic)
        .route(&Method::GET, "/fail/{kind}", fail);
    finish(app.clone(), routes.into_router().with_state(app.clone()))
}

#[tokio::test]
async fn a_ruma_endpoint_answers_under_each_of_its_paths() {
    let directory = TempDir::new().unwrap();
    let app = app(&directory).await;
    let alice = token(&app, "alice").await;
    let router = router(&app);
    for path in [
        SEND,
        &SEND.replace("/v3/", "/r0/"),
        &SEND.replace("%21", "!"),
    ] {
        let answer = send(&router, "PUT", path, Some(&alice), r#"{"body": "hi"}"#).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        assert_eq!(answer.body, json!({"event_id": "$event"}));
    }
}

#[tokio::test]
async fn the_last_state_key_may_be_empty_or_missing() {
    let directory = TempDir::new().unwrap();
    let app = app(&directory).await;
    let alice = token(&app, "alice").await;
    let router = router(&app);
    let start = "/_matrix/client/v3/rooms/!room:example.org/state/m.room.topic";
    for (end, key) in [("", "<>"), ("/", "<>"), ("/k%2Fey", "<k/ey>")] {
        let path = format!("{start}{end}");
        let answer = send(&router, "PUT", &path, Some(&alice), r#"{"topic": "x"}"#).await;
        assert_eq!(answer.error(), key, "{path}");
    }
}

#[tokio::test]
async fn tokens_count_in_the_header_and_in_the_query() {
    let directory = TempDir::new().unwrap();
    let app = app(&directory).await;
    let alice = token(&app, "alice").await;
    let router = router(&app);
    let in_query = format!("{SEND}?access_token={alice}");
    let answer = send(&router, "PUT", &in_query, None, "{}").await;
    assert_eq!(answer.status, StatusCode::OK);

    let answer = send(&router, "PUT", SEND, None, "not read before the token").await;
    assert_eq!(answer.code(), (401, "M_MISSING_TOKEN"));
    for token in ["wrong", "", &alice[1..]] {
        let answer = send(&router, "PUT", SEND, Some(token), "{}").await;
        assert_eq!(answer.code(), (401, "M_UNKNOWN_TOKEN"), "{token}");
    }
    let twice = format!("{in_query}&access_token={alice}");
    let answer = send(&router, "PUT", &twice, None, "{}").await;
    assert_eq!(answer.code(), (400, "M_INVALID_PARAM"));
}

#[tokio::test]
async fn the_api_of_2014_answers_403_to_bad_tokens() {
    let directory = TempDir::new().unwrap();
    let app = app(&directory).await;
    let alice = token(&app, "alice").await;
    let router = router(&app);
    let path = "/_matrix/client/api/v1/events";
    let answer = send(&router, "GET", path, None, "").await;
    assert_eq!(answer.code(), (403, "M_FORBIDDEN"));
    assert_eq!(answer.error(), "Missing access token.");
    let answer = send(&router, "GET", path, Some("wrong"), "").await;
    assert_eq!(answer.code(), (403, "M_UNKNOWN_TOKEN"));
    let answer = send(&router, "GET", path, Some(&alice), "").await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn bad_bodies_say_what_is_wrong() {
    let directory = TempDir::new().unwrap();
    let app = app(&directory).await;
    let router = router(&app);
    let path = "/_matrix/client/v3/createRoom";
    let long = format!(r#"{{"name": "{}"}}"#, "x".repeat(1_000));
    let deep = format!(
        r#"{{"creation_content": {}1{}}}"#,
        "[".repeat(400),
        "]".repeat(400)
    );
    let cases = [
        ("not json", (400, "M_NOT_JSON"), "not JSON"),
        (r#"{"name": "x""#, (400, "M_NOT_JSON"), "not JSON"),
        ("[]", (400, "M_BAD_JSON"), "object"),
        ("5", (400, "M_BAD_JSON"), "object"),
        (r#"{"name": 5}"#, (400, "M_BAD_JSON"), "`name`"),
        (
            r#"{"invite": ["nobody"]}"#,
            (400, "M_INVALID_PARAM"),
            "`invite`",
        ),
        (
            r#"{"name": "a", "name": "b"}"#,
            (400, "M_BAD_JSON"),
            "`name`",
        ),
        (
            r#"{"invite_3pid": [{}]}"#,
            (400, "M_MISSING_PARAM"),
            "`invite_3pid.",
        ),
        (&long, (413, "M_TOO_LARGE"), "1000"),
    ];
    for (body, code, words) in cases {
        let answer = send(&router, "POST", path, None, body.to_owned()).await;
        assert_eq!(answer.code(), code, "{body}: {answer:?}");
        assert!(answer.error().contains(words), "{body}: {answer:?}");
    }
    let answer = send(&router, "POST", path, None, deep).await;
    assert!(answer.status == 200 || answer.status == 400, "{answer:?}");
    let answer = send(&router, "POST", path, None, "").await;
    assert_eq!(
        answer.status,
        StatusCode::OK,
        "an empty body asks for nothing special"
    );
}

#[tokio::test]
async fn bad_identifiers_in_paths_are_refused() {
    let directory = TempDir::new().unwrap();
    let app = app(&directory).await;
    let router = router(&app);
    for alias in ["%23", "room", "%21room:example.org", "%ff"] {
        let path = format!("/_matrix/client/v3/directory/room/{alias}");
        let answer = send(&router, "GET", &path, None, "").await;
        assert_eq!(
            answer.code(),
            (400, "M_INVALID_PARAM"),
            "{alias}: {answer:?}"
        );
    }
    let path = "/_matrix/client/v3/directory/room/%23r%C3%A4um:example.org";
    let answer = send(&router, "GET", path, None, "").await;
    assert_eq!(answer.error(), "#räum:example.org");
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_are_unrecognized() {
    let directory = TempDir::new().unwrap();
    let app = app(&directory).await;
    let router = router(&app);
    for path in [
        "/",
        "/_matrix/client/v3/nothing",
        "/_matrix/client/api/v1/rooms//join",
    ] {
        let answer = send(&router, "GET", path, None, "").await;
        assert_eq!(answer.code(), (404, "M_UNRECOGNIZED"), "{path}");
    }
    let answer = send(&router, "DELETE", SEND, None, "").await;
    assert_eq!(answer.code(), (405, "M_UNRECOGNIZED"));
}

#[tokio::test]
async fn browsers_may_ask_for_everything() {
    let directory = TempDir::new().unwrap();
    let app = app(&directory).await;
    let router = router(&app);
    for path in [SEND, "/_matrix/client/v3/nothing"] {
        let answer = send(&router, "OPTIONS", path, None, "").await;
        assert_eq!((answer.status, &answer.body), (StatusCode::OK, &json!({})));
        let methods = answer.header("access-control-allow-methods");
        assert_eq!(methods, "GET, POST, PUT, DELETE, OPTIONS");
        let headers = answer.header("access-control-allow-headers");
        for header in ["X-Requested-With", "Content-Type", "Authorization"] {
            assert!(headers.contains(header), "{headers}");
        }
    }
}

#[tokio::test]
async fn failures_of_the_store_keep_their_secrets() {
    let directory = TempDir::new().unwrap();
    let app = app(&directory).await;
    let router = router(&app);
    for (kind, status) in [
        ("unavailable", 503),
        ("contended", 503),
        ("full", 507),
        ("x", 500),
    ] {
        let answer = send(&router, "GET", &format!("/fail/{kind}"), None, "").await;
        assert_eq!(answer.code(), (status, "M_UNKNOWN"), "{kind}");
        assert!(!answer.error().contains("secret"), "{kind}");
        assert_eq!(
            answer.headers.contains_key("retry-after"),
            status != 500,
            "{kind}"
        );
    }
}

#[tokio::test]
async fn a_panic_is_one_failed_request() {
    let directory = TempDir::new().unwrap();
    let app = app(&directory).await;
    let router = router(&app);
    let answer = send(&router, "GET", "/panic", None, "").await;
    assert_eq!(answer.code(), (500, "M_UNKNOWN"));
    assert!(!answer.error().contains("secret"));
    let answer = send(&router, "GET", "/health", None, "").await;
    assert_eq!(
        (answer.status, answer.body),
        (StatusCode::OK, json!({"status": "ok"}))
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_does_not_hold_the_request() {
    let directory = TempDir::new().unwrap();
    let app = app(&directory).await;
    let router = router(&app);
    let body = Body::new(Silent);
    let answer = send(&router, "POST", "/_matrix/client/v3/createRoom", None, body).await;
    assert_eq!(answer.code(), (408, "M_UNKNOWN"));
}
