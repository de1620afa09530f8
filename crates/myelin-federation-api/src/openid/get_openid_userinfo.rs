//! `GET /_matrix/federation/v1/openid/userinfo`

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::find_openid_user;
use myelin_http::{MatrixError, Public, Raw, json_response};
use ruma::api::error::ErrorCode;
use serde_json::json;

use crate::{Error, FederationApi};

/// Anybody may ask: who has the token was given it by the user.
pub(crate) async fn get_openid_userinfo(
    api: FederationApi,
    request: Public<Raw>,
) -> Result<Response, Error> {
    let query = request.body.query()?;
    let refused =
        |kind, message: &str| MatrixError::new(StatusCode::UNAUTHORIZED, kind, message.to_owned());
    let token = query
        .get("access_token")?
        .ok_or_else(|| refused(ErrorCode::MissingToken, "`access_token` is missing."))?;
    let user = find_openid_user(&api.app.server, &api.app.store, token).await?;
    let user = user.ok_or_else(|| {
        refused(
            ErrorCode::UnknownToken,
            "This token is not known, or has expired.",
        )
    })?;
    Ok(json_response(StatusCode::OK, &json!({ "sub": user })))
}
