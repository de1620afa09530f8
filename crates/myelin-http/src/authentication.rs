//! Access tokens: where a request carries one, and whose it is.

use http::{StatusCode, header, request::Parts};
use myelin_accounts::Session;
use ruma::api::error::ErrorCode;

use crate::{App, MatrixError, Query};

/// The API of 2014, whose clients know a dead token by status 403.
const V1_PREFIX: &str = "/_matrix/client/api/v1/";

/// Finds the session of the request's access token.
pub async fn authenticate(app: &App, parts: &Parts) -> Result<Session, MatrixError> {
    let is_v1 = parts.uri.path().starts_with(V1_PREFIX);
    let Some(token) = access_token(parts)? else {
        return Err(if is_v1 {
            MatrixError::forbidden("Missing access token.")
        } else {
            MatrixError::new(
                StatusCode::UNAUTHORIZED,
                ErrorCode::MissingToken,
                "Missing access token.",
            )
        });
    };
    let session = myelin_accounts::authenticate(&app.store, &token).await?;
    session.ok_or_else(|| {
        let status = if is_v1 {
            StatusCode::FORBIDDEN
        } else {
            StatusCode::UNAUTHORIZED
        };
        MatrixError::new(
            status,
            ErrorCode::UnknownToken,
            "Unrecognised access token.",
        )
    })
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
