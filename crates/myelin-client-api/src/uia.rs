//! User-Interactive Authentication, as far as registration needs it.
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api)

use http::StatusCode;
use myelin_core::server::Server;
use myelin_http::MatrixError;
use ruma::api::{client::uiaa::AuthData, error::ErrorCode};
use serde_json::{Map, Value, json};

/// Characters of a session id.
const SESSION_LENGTH: usize = 24;

/// Passes a request whose client did the one stage, `m.login.dummy`, which proves nothing; so
/// nothing is remembered about the session either, and its id is only handed back.
pub(crate) fn require_dummy(server: &Server, auth: Option<&AuthData>) -> Result<(), MatrixError> {
    match auth {
        Some(AuthData::Dummy(_)) => Ok(()),
        None | Some(AuthData::FallbackAcknowledgement(_)) => {
            Err(challenge(server, auth.and_then(AuthData::session)))
        }
        Some(other) => Err(refusal(server, other.session())),
    }
}

fn challenge(server: &Server, session: Option<&str>) -> MatrixError {
    let session = session.map_or_else(|| server.random_token(SESSION_LENGTH), str::to_owned);
    let body = [
        ("flows", json!([{"stages": ["m.login.dummy"]}])),
        ("params", json!({})),
        ("session", Value::String(session)),
    ];
    let body = body.map(|(key, value)| (key.to_owned(), value));
    MatrixError::authentication_challenge(Map::from_iter(body))
}

/// A stage that is not on offer has failed: the flows again, and an error code with them.
fn refusal(server: &Server, session: Option<&str>) -> MatrixError {
    MatrixError {
        extra: challenge(server, session).extra,
        ..MatrixError::new(
            StatusCode::UNAUTHORIZED,
            ErrorCode::Unrecognized,
            "This authentication type is not part of any flow.",
        )
    }
}
