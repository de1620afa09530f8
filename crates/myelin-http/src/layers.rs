//! What surrounds every handler: CORS, the request log, panics, unknown paths, `/health`.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use ruma::api::error::ErrorCode;
use serde_json::json;
use tracing::Instrument;

use crate::{App, MatrixError, error::Failure, json_response, request_metrics::method_name};

/// Completes the surfaces' routes: each process calls this once, on all of them merged.
pub fn finish(app: App, surfaces: Router) -> Router {
    let own = Router::new()
        .route("/health", get(health))
        .with_state(app.clone());
    surfaces
        .merge(own)
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(app, surround))
}

/// `GET /health`: whether this node can answer requests, that is, read the database.
async fn health(State(app): State<App>) -> Response {
    match myelin_accounts::can_read(&app.store).await {
        Ok(()) => json_response(StatusCode::OK, &json!({"status": "ok"})),
        Err(error) => {
            let mut response = MatrixError::from(error).into_response();
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            response
        }
    }
}

async fn unknown_path() -> MatrixError {
    MatrixError::new(
        StatusCode::NOT_FOUND,
        ErrorCode::Unrecognized,
        "Unrecognized request.",
    )
}

async fn wrong_method() -> MatrixError {
    MatrixError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        ErrorCode::Unrecognized,
        "This path does not know this method.",
    )
}

async fn surround(State(app): State<App>, request: Request, next: Next) -> Response {
    // A browser's question whether it may ask is answered for every path, existing or not.
    let mut response = if request.method() == Method::OPTIONS {
        json_response(StatusCode::OK, &json!({}))
    } else {
        logged(&app, request, next).await
    };
    allow_browsers(response.headers_mut());
    response
}

async fn logged(app: &App, request: Request, next: Next) -> Response {
    // The pattern, not the address: an address may carry an access token.
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let path = matched.as_ref().map_or("unknown", MatchedPath::as_str);
    let method = method_name(request.method());
    let span = tracing::info_span!(
        "request",
        id = app.next_request_id(),
        method = %request.method(),
        path,
    );
    let started_ms = app.server.now_ms();
    async {
        let response = without_panics(next.run(request)).await;
        let took_ms = app.server.now_ms().saturating_sub(started_ms);
        log(&response, took_ms);
        let requests = &app.requests;
        requests.note((method, path), (response.status(), took_ms));
        response
    }
    .instrument(span)
    .await
}

/// One line for each request, and one more where the server is to blame.
fn log(response: &Response, took_ms: u64) {
    let status = response.status();
    if let Some(failure) = response.extensions().get::<Failure>() {
        let reason = failure.chain();
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(reason, "request failed");
        } else {
            tracing::warn!(reason, "request refused");
        }
    }
    tracing::info!(status = status.as_u16(), took_ms, "answered");
}

async fn without_panics(answer: impl Future<Output = Response>) -> Response {
    let mut answer = pin!(answer);
    poll_fn(move |context| {
        // Nothing of the handler is used again after a panic, so no broken state can be seen.
        match catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context))) {
            Ok(poll) => poll,
            Err(panic) => {
                Poll::Ready(MatrixError::internal(Panicked::new(&*panic)).into_response())
            }
        }
    })
    .await
}

#[derive(Debug, thiserror::Error)]
#[error("the handler panicked: {message}")]
struct Panicked {
    message: String,
}

impl Panicked {
    fn new(panic: &(dyn std::any::Any + Send)) -> Self {
        let message = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("without a message");
        Self {
            message: message.to_owned(),
        }
    }
}

/// The headers that the specification recommends for web clients.
fn allow_browsers(headers: &mut HeaderMap) {
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, PUT, DELETE, OPTIONS"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("Origin, X-Requested-With, Content-Type, Accept, Authorization"),
    );
}
