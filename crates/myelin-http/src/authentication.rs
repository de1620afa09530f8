//! Access tokens: where a request carries one, and whose it is.

use http::{StatusCode, header, request::Parts};
use myelin_accounts::{AuthenticateError, SeenFrom, Session};
use ruma::api::error::ErrorCode;

use crate::{App, MatrixError, Query, access::Endpoint, client_address::address_of};

/// The API of 2014.
const V1_PREFIX: &str = "/_matrix/client/api/v1/";

/// Finds the session of the request's access token, and refuses what its user may not do.
pub async fn authenticate(app: &App, parts: &Parts) -> Result<Session, MatrixError> {
    // Clients of 2014 know a dead token by this status.
    let status = if parts.uri.path().starts_with(V1_PREFIX) {
        StatusCode::FORBIDDEN
    } else {
        StatusCode::UNAUTHORIZED
    };
    let Some(token) = access_token(parts)? else {
        return Err(if status == StatusCode::FORBIDDEN {
            MatrixError::forbidden("Missing access token.")
        } else {
            MatrixError::new(status, ErrorCode::MissingToken, "Missing access token.")
        });
    };
    let now_ms = app.server.now_ms();
    let session = myelin_accounts::authenticate(&app.store, &token, now_ms)
        .await
        .map_err(|error| refusal(status, error))?;
    check(&session, &Endpoint::of(parts), status)?;
    Ok(session)
}

/// From where a request comes, for its user's list of devices.
pub fn seen_from(parts: &Parts) -> SeenFrom {
    let address = address_of(parts);
    let user_agent = parts.headers.get(header::USER_AGENT);
    SeenFrom {
        address: address.map(|address| address.to_canonical().to_string()),
        user_agent: user_agent.and_then(|text| Some(text.to_str().ok()?.to_owned())),
    }
}

fn refusal(status: StatusCode, error: AuthenticateError) -> MatrixError {
    let unknown = |message| MatrixError::new(status, ErrorCode::UnknownToken, message);
    match error {
        AuthenticateError::Unknown => unknown("Unrecognised access token."),
        AuthenticateError::Expired => {
            unknown("The access token has expired.").with("soft_logout", true)
        }
        AuthenticateError::Store(error) => error.into(),
    }
}

fn check(session: &Session, endpoint: &Endpoint, status: StatusCode) -> Result<(), MatrixError> {
    if session.locked && !endpoint.is_open_to_locked() {
        return Err(MatrixError::user_locked(status));
    }
    let forbidden = |kind, message| Err(MatrixError::new(StatusCode::FORBIDDEN, kind, message));
    if session.suspended && !endpoint.is_open_to_suspended() {
        return forbidden(
            ErrorCode::UserSuspended,
            "You cannot do this while your account is suspended.",
        );
    }
    if session.guest && !endpoint.is_open_to_guests() {
        return forbidden(
            ErrorCode::GuestAccessForbidden,
            "Guests may not do this; it needs an account.",
        );
    }
    Ok(())
}

/// The token in the header `Authorization`, or else in the query. Another scheme than `Bearer`
/// counts as none: a proxy in front may use it.
fn access_token(parts: &Parts) -> Result<Option<String>, MatrixError> {
    let from_header = parts
        .headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim().to_owned());
    if from_header.is_some() {
        return Ok(from_header);
    }
    let query = Query::of(&parts.uri)?;
    Ok(query.get("access_token")?.map(str::to_owned))
}
