//! `POST /_matrix/client/api/v1/login`

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::{Credentials, Login, LoginName, NewDevice};
use myelin_http::{MatrixError, Public, Raw, seen_from};
use ruma::api::error::ErrorCode;

use super::{register::answer, request};
use crate::{ClientApi, Error, session::log_in};

/// Beyond the keys of 2014 it takes the two that today's login fallback page hands on.
pub(super) async fn login(api: ClientApi, call: Public<Raw>) -> Result<Response, Error> {
    let mut body = request::body(&call.body)?;
    if request::text(&mut body, "type")?.as_deref() != Some("m.login.password") {
        let message = "Bad login type.";
        return Err(MatrixError::new(StatusCode::BAD_REQUEST, ErrorCode::Unknown, message).into());
    }
    let wish = Login {
        credentials: Credentials::Password {
            name: LoginName::User(request::required_text(&mut body, "user")?),
            password: request::required_text(&mut body, "password")?,
        },
        device: NewDevice {
            device_id: request::text(&mut body, "device_id")?.map(Into::into),
            display_name: request::text(&mut body, "initial_device_display_name")?,
            refresh: false,
            seen_from: seen_from(&call.body.parts),
        },
    };
    let session = log_in(&api.app, wish).await?;
    Ok(answer(&api, &session))
}
