//! `POST /_matrix/client/v3/login`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3login)

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::{Credentials, LoggedIn, Login, LoginError, LoginName, NewDevice};
use myelin_http::{App, MatrixError, Public, Raw, ruma_response, seen_from};
use ruma::{OwnedDeviceId, api::client::session::login::v3, api::error::ErrorCode};
use serde::Deserialize;

use super::lifetime;
use crate::{ClientApi, Error, identifier::Identifier};

/// Not ruma's request: that one panics without `type`, and cannot name a missing key.
#[derive(Deserialize)]
struct Body {
    #[serde(rename = "type")]
    login_type: String,
    identifier: Option<Identifier>,
    /// Deprecated: a localpart or a whole user id.
    user: Option<String>,
    /// Deprecated: an address.
    address: Option<String>,
    password: Option<String>,
    token: Option<String>,
    device_id: Option<OwnedDeviceId>,
    initial_device_display_name: Option<String>,
    refresh_token: Option<bool>,
}

pub(crate) async fn login(api: ClientApi, req: Public<Raw>) -> Result<Response, Error> {
    let mut body: Body = req.body.json()?;
    let wish = Login {
        credentials: credentials(&mut body)?,
        device: NewDevice {
            device_id: body.device_id,
            display_name: body.initial_device_display_name,
            refresh: body.refresh_token == Some(true),
            seen_from: seen_from(&req.body.parts),
        },
    };
    let session = log_in(&api.app, wish).await?;
    let tokens = session.tokens;
    let mut response = v3::Response::new(session.user, tokens.access_token, session.device);
    response.refresh_token = tokens.refresh_token;
    response.expires_in = tokens.expires_in_ms.map(lifetime);
    Ok(ruma_response(response)?)
}

/// Logs in, unless too many have tried to get into the account.
pub(crate) async fn log_in(app: &App, wish: Login) -> Result<LoggedIn, Error> {
    let attempt = match &wish.credentials {
        Credentials::Password {
            name: LoginName::User(name),
            ..
        } => Some(app.login_attempt(name)?),
        Credentials::Password { .. } | Credentials::Token(_) => None,
    };
    let session = myelin_accounts::login(&app.server, &app.store, &app.accounts, wish).await;
    if let (Err(LoginError::Refused), Some(attempt)) = (&session, attempt) {
        attempt.failed();
    }
    Ok(session?)
}

fn credentials(body: &mut Body) -> Result<Credentials, MatrixError> {
    match body.login_type.as_str() {
        "m.login.password" => {
            let name = Identifier::name(body.identifier.take(), body.user.take())?;
            let by_address = body.address.is_some().then_some(LoginName::Address);
            let name = name.or(by_address);
            let password = body.password.take();
            Ok(Credentials::Password {
                name: name.ok_or_else(|| MatrixError::missing_param("identifier"))?,
                password: password.ok_or_else(|| MatrixError::missing_param("password"))?,
            })
        }
        "m.login.token" => {
            let token = body.token.take();
            Ok(Credentials::Token(
                token.ok_or_else(|| MatrixError::missing_param("token"))?,
            ))
        }
        _ => Err(MatrixError::new(
            StatusCode::BAD_REQUEST,
            ErrorCode::Unknown,
            "Bad login type.",
        )),
    }
}
