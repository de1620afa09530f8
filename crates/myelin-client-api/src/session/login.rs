//! `POST /_matrix/client/v3/login`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3login)

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::{Login, NewDevice};
use myelin_http::{MatrixError, Public, Raw, ruma_response};
use ruma::{OwnedDeviceId, api::client::session::login::v3, api::error::ErrorCode};
use serde::Deserialize;

use crate::{ClientApi, Error};

/// Not ruma's request: that one panics without `type`, and cannot name a missing key.
#[derive(Deserialize)]
struct Body {
    #[serde(rename = "type")]
    login_type: String,
    identifier: Option<Identifier>,
    /// Deprecated: a localpart or a whole user id.
    user: Option<String>,
    password: Option<String>,
    device_id: Option<OwnedDeviceId>,
    initial_device_display_name: Option<String>,
}

#[derive(Deserialize)]
struct Identifier {
    #[serde(rename = "type")]
    kind: String,
    user: Option<String>,
}

pub(crate) async fn login(api: ClientApi, req: Public<Raw>) -> Result<Response, Error> {
    let ClientApi { app, .. } = api;
    let body: Body = req.body.json()?;
    if body.login_type != "m.login.password" {
        return Err(unknown("Bad login type.").into());
    }
    let wish = Login {
        user: user(body.identifier, body.user)?,
        password: body
            .password
            .ok_or_else(|| MatrixError::missing_param("password"))?,
        device: NewDevice {
            device_id: body.device_id,
            display_name: body.initial_device_display_name,
        },
    };
    let session = myelin_accounts::login(&app.server, &app.store, &app.accounts, wish).await?;
    let response = v3::Response::new(session.user, session.access_token, session.device);
    Ok(ruma_response(response)?)
}

fn user(identifier: Option<Identifier>, user: Option<String>) -> Result<String, MatrixError> {
    let Some(identifier) = identifier else {
        return user.ok_or_else(|| MatrixError::missing_param("identifier"));
    };
    match identifier.kind.as_str() {
        "m.id.user" => identifier
            .user
            .ok_or_else(|| MatrixError::missing_param("identifier.user")),
        // Nobody has an address here, so none is known.
        "m.id.thirdparty" | "m.id.phone" => Err(MatrixError::forbidden(
            "Nobody with this address, or the password is wrong.",
        )),
        _ => Err(unknown("Unknown type of `identifier`.")),
    }
}

fn unknown(message: &str) -> MatrixError {
    MatrixError::new(StatusCode::BAD_REQUEST, ErrorCode::Unknown, message)
}
