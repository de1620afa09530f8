//! `POST /_matrix/client/api/v1/register`

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::{LoggedIn, NewDevice, Permission, Register};
use myelin_http::{MatrixError, Public, Raw, seen_from};
use ruma::api::error::ErrorCode;
use serde_json::json;

use super::{reply, request};
use crate::{ClientApi, Error};

/// Takes the form of September 2014, `{"user_id", "password"}`, and that of October,
/// `{"user", "password", "type"}`. There is no further authentication: this is how the API was, so
/// it is open to exactly those whom the operator lets register without any.
pub(super) async fn register(api: ClientApi, call: Public<Raw>) -> Result<Response, Error> {
    let mut body = request::body(&call.body)?;
    let kind = request::text(&mut body, "type")?;
    if kind.is_some_and(|kind| kind != "m.login.password") {
        let message = "Users of this API register by m.login.password only.";
        return Err(MatrixError::new(StatusCode::BAD_REQUEST, ErrorCode::Unknown, message).into());
    }
    let september = request::filled_text(&mut body, "user_id")?;
    let october = request::filled_text(&mut body, "user")?;
    let wish = Register {
        username: september.or(october),
        password: request::filled_text(&mut body, "password")?,
        device: Some(NewDevice {
            seen_from: seen_from(&call.body.parts),
            ..NewDevice::default()
        }),
        ..Register::default()
    };
    let app = &api.app;
    let permission = Permission::Open;
    let registered =
        myelin_accounts::register(&app.server, &app.store, &app.accounts, permission, wish).await?;
    let session = registered.session.map(|session| answer(&api, &session));
    Ok(session.unwrap_or_else(|| reply(&json!({ "user_id": registered.user }))))
}

/// The answer to who is now logged in.
pub(super) fn answer(api: &ClientApi, session: &LoggedIn) -> Response {
    reply(&json!({
        "access_token": session.tokens.access_token,
        "device_id": session.device,
        "home_server": api.app.server.name,
        "user_id": session.user,
    }))
}
