//! The one form in which a failure reaches a client.

use std::{error::Error, fmt::Write, sync::Arc};

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use myelin_net::{FederationError, TransportError};
use myelin_store::StoreError;
use ruma::api::error::ErrorCode;
use serde_json::{Map, Value};

use crate::json_response;

/// How long a client is asked to wait when the database is away or overloaded.
const RETRY_AFTER_UNAVAILABLE_MS: u64 = 2_000;
/// Of what another server says when it refuses, so much is told.
const REFUSAL_CHARS_MAX: usize = 300;

/// A Matrix error as it is sent; each API crate turns its use cases' errors into this by an
/// exhaustive match.
#[derive(Debug)]
pub struct MatrixError {
    /// The HTTP status.
    pub status: StatusCode,
    /// The `errcode`; None only for a User-Interactive Authentication challenge, which has none.
    pub kind: Option<ErrorCode>,
    /// The `error`: a sentence for the developer of the client.
    pub message: String,
    /// When to try again: `retry_after_ms` and the header `Retry-After`.
    pub retry_after_ms: Option<u64>,
    /// Further keys of the body.
    pub extra: Map<String, Value>,
    /// What the log shall say and the client shall not see.
    pub source: Option<Arc<dyn Error + Send + Sync>>,
}

impl MatrixError {
    /// An error without further keys.
    pub fn new(status: StatusCode, kind: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            status,
            kind: Some(kind),
            message: message.into(),
            retry_after_ms: None,
            extra: Map::new(),
            source: None,
        }
    }

    /// 401 with the flows of User-Interactive Authentication and without an error code.
    pub fn authentication_challenge(body: Map<String, Value>) -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            kind: None,
            message: String::new(),
            retry_after_ms: None,
            extra: body,
            source: None,
        }
    }

    /// 400 `M_NOT_JSON`.
    pub fn not_json(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::NotJson, message)
    }

    /// 400 `M_BAD_JSON`.
    pub fn bad_json(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::BadJson, message)
    }

    /// 400 `M_MISSING_PARAM` for this key.
    pub fn missing_param(key: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            ErrorCode::MissingParam,
            format!("Missing parameter `{key}`."),
        )
    }

    /// 400 `M_INVALID_PARAM`.
    pub fn invalid_param(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::InvalidParam, message)
    }

    /// 403 `M_FORBIDDEN`.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, ErrorCode::Forbidden, message)
    }

    /// `M_USER_LOCKED`: clients keep what they have and wait. The status is 401, except for clients
    /// of 2014.
    pub fn user_locked(status: StatusCode) -> Self {
        Self::new(
            status,
            ErrorCode::UserLocked,
            "This account has been locked.",
        )
        .with("soft_logout", true)
    }

    /// 404 `M_NOT_FOUND`.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, ErrorCode::NotFound, message)
    }

    /// 413 `M_TOO_LARGE`.
    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::TooLarge, message)
    }

    /// 500 `M_UNKNOWN`: the source is logged, the client learns nothing.
    pub fn internal(source: impl Error + Send + Sync + 'static) -> Self {
        Self {
            source: Some(Arc::new(source)),
            ..Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                ErrorCode::Unknown,
                "Internal server error.",
            )
        }
    }

    /// Whether it is this server that has failed, not what was asked for or another server.
    pub fn is_own_fault(&self) -> bool {
        let by_others = [StatusCode::BAD_GATEWAY, StatusCode::GATEWAY_TIMEOUT];
        self.status.is_server_error() && !by_others.contains(&self.status)
    }

    /// The body.
    pub fn into_body(self) -> Map<String, Value> {
        let mut body = self.extra;
        if let Some(kind) = self.kind {
            body.insert("errcode".to_owned(), kind.as_str().into());
            body.insert("error".to_owned(), self.message.into());
        }
        if let Some(retry_after_ms) = self.retry_after_ms {
            body.insert("retry_after_ms".to_owned(), retry_after_ms.into());
        }
        body
    }

    /// The same with one more key in the body.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.extra.insert(key.to_owned(), value.into());
        self
    }
}

impl From<StoreError> for MatrixError {
    fn from(error: StoreError) -> Self {
        let (status, message) = match &error {
            // A conflict that no attempt resolved is a crowd, too.
            StoreError::Conflict | StoreError::Contended | StoreError::Unavailable(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The server cannot do this at the moment; try again.",
            ),
            StoreError::Full(_) => (
                StatusCode::INSUFFICIENT_STORAGE,
                "The server has no room left.",
            ),
            StoreError::TooLarge { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Missing { .. }
            | StoreError::Malformed { .. }
            | StoreError::Driver(_) => return Self::internal(error),
        };
        Self {
            retry_after_ms: Some(RETRY_AFTER_UNAVAILABLE_MS),
            source: Some(Arc::new(error)),
            ..Self::new(status, ErrorCode::Unknown, message)
        }
    }
}

impl From<FederationError> for MatrixError {
    /// What a user is told when another server did not do what the user needs of it. Its error
    /// codes stay behind: it must not be able to log our users out.
    fn from(error: FederationError) -> Self {
        let (status, kind, message) = match &error {
            FederationError::NotAllowed(_) => return Self::forbidden(format!("{error}.")),
            FederationError::Request(_) => return Self::internal(error),
            FederationError::Transport(TransportError::Unreachable { server, .. }) => (
                StatusCode::BAD_GATEWAY,
                ErrorCode::Unknown,
                format!("{server} cannot be reached."),
            ),
            FederationError::Transport(TransportError::BrokenOff(_)) => (
                StatusCode::BAD_GATEWAY,
                ErrorCode::Unknown,
                "Another server broke off its answer.".to_owned(),
            ),
            FederationError::TimedOut(_) => (
                StatusCode::GATEWAY_TIMEOUT,
                ErrorCode::Unknown,
                format!("{error}."),
            ),
            FederationError::TooLong(_) => (
                StatusCode::BAD_GATEWAY,
                ErrorCode::Unknown,
                format!("{error}."),
            ),
            FederationError::Malformed { server, .. } => (
                StatusCode::BAD_GATEWAY,
                ErrorCode::Unknown,
                format!("The answer of {server} makes no sense."),
            ),
            FederationError::Refused { status, .. } => {
                let (status, kind) = refusal(*status);
                let message: String = error.to_string().chars().take(REFUSAL_CHARS_MAX).collect();
                (status, kind, format!("{message}."))
            }
        };
        Self {
            source: Some(Arc::new(error)),
            ..Self::new(status, kind, message)
        }
    }
}

/// What another server's refusal means for whom it was asked.
fn refusal(status: StatusCode) -> (StatusCode, ErrorCode) {
    match status {
        StatusCode::BAD_REQUEST => (status, ErrorCode::InvalidParam),
        StatusCode::FORBIDDEN => (status, ErrorCode::Forbidden),
        StatusCode::NOT_FOUND => (status, ErrorCode::NotFound),
        _ => (StatusCode::BAD_GATEWAY, ErrorCode::Unknown),
    }
}

/// Carried in a response's extensions to the request log, which knows the request's id.
#[derive(Clone, Debug)]
pub(crate) struct Failure(pub(crate) Arc<dyn Error + Send + Sync>);

impl Failure {
    /// The message and those of all its sources.
    pub(crate) fn chain(&self) -> String {
        let mut text = self.0.to_string();
        let mut source = self.0.source();
        while let Some(error) = source {
            let _ = write!(text, ": {error}");
            source = error.source();
        }
        text
    }
}

impl IntoResponse for MatrixError {
    fn into_response(self) -> Response {
        let (status, retry_after_ms) = (self.status, self.retry_after_ms);
        let source = self.source.clone();
        let mut response = json_response(status, &Value::Object(self.into_body()));
        if let Some(retry_after_ms) = retry_after_ms {
            let seconds = HeaderValue::from(retry_after_ms.div_ceil(1_000));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        if let Some(source) = source {
            response.extensions_mut().insert(Failure(source));
        }
        response
    }
}
