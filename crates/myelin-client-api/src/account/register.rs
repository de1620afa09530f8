//! `POST /_matrix/client/v3/register`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register)

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::{
    NewDevice, Permission, Register, RegisterError, Registered, check_username, guest_of_token,
    registration_flows,
};
use myelin_http::{MatrixError, Public, Raw, ruma_response, seen_from};
use ruma::{OwnedDeviceId, api::client::account::register::v3, api::error::ErrorCode};
use serde::Deserialize;

use crate::{ClientApi, Error, session::lifetime, uia};

#[derive(Deserialize)]
struct Body {
    #[serde(rename = "type")]
    login_type: Option<String>,
    username: Option<String>,
    password: Option<String>,
    device_id: Option<OwnedDeviceId>,
    initial_device_display_name: Option<String>,
    inhibit_login: Option<bool>,
    refresh_token: Option<bool>,
    guest_access_token: Option<String>,
}

pub(crate) async fn register(api: ClientApi, req: Public<Raw>) -> Result<Response, Error> {
    let raw = req.body;
    let body: Body = raw.json()?;
    let device = (body.inhibit_login != Some(true)).then(|| NewDevice {
        device_id: body.device_id.clone(),
        display_name: body.initial_device_display_name.clone(),
        refresh: body.refresh_token == Some(true),
        seen_from: seen_from(&raw.parts),
    });
    let registered = match raw.query()?.get("kind")? {
        None | Some("user") => user(&api, &raw, body, device).await?,
        Some("guest") => guest(&api, device).await?,
        Some(_) => {
            let message = "`kind` must be `user` or `guest`.";
            return Err(MatrixError::invalid_param(message).into());
        }
    };
    let mut response = v3::Response::new(registered.user);
    if let Some(session) = registered.session {
        response.device_id = Some(session.device);
        response.access_token = Some(session.tokens.access_token);
        response.refresh_token = session.tokens.refresh_token;
        response.expires_in = session.tokens.expires_in_ms.map(lifetime);
    }
    Ok(ruma_response(response)?)
}

async fn user(
    api: &ClientApi,
    raw: &Raw,
    body: Body,
    device: Option<NewDevice>,
) -> Result<Registered, Error> {
    let app = &api.app;
    if body.login_type.as_deref() == Some("m.login.application_service") {
        return Err(MatrixError::new(
            StatusCode::UNAUTHORIZED,
            ErrorCode::UnknownToken,
            "No application service has this token.",
        )
        .into());
    }
    let flows = registration_flows(&app.store, &app.accounts).await?;
    let flows = flows.ok_or(RegisterError::Closed)?;
    let username = body.username.as_deref();
    // A name that cannot be had is refused before the client is sent through authentication.
    let guest = if let Some(token) = &body.guest_access_token {
        let username = username.ok_or_else(|| MatrixError::missing_param("username"))?;
        Some(guest_of_token(&app.server, &app.store, token, username).await?)
    } else {
        check_username(&app.server, &app.store, &app.accounts, username).await?;
        None
    };
    let approval = uia::approve_registration(api, raw, flows).await?;
    if body.password.is_none() {
        return Err(MatrixError::missing_param("password").into());
    }
    let wish = Register {
        username: body.username,
        password: body.password,
        device,
        guest,
        admin: false,
    };
    let permission = Permission::Interactive(Box::new(approval));
    Ok(myelin_accounts::register(&app.server, &app.store, &app.accounts, permission, wish).await?)
}

/// Of a guest's wishes only the name and the tokens of the device count.
async fn guest(api: &ClientApi, device: Option<NewDevice>) -> Result<Registered, Error> {
    let app = &api.app;
    let wish = Register {
        device: Some(NewDevice {
            device_id: None,
            ..device.unwrap_or_default()
        }),
        ..Register::default()
    };
    let permission = Permission::Guest;
    Ok(myelin_accounts::register(&app.server, &app.store, &app.accounts, permission, wish).await?)
}
