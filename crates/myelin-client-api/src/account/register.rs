//! `POST /_matrix/client/v3/register`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register)

use http::StatusCode;
use myelin_accounts::{NewDevice, Register, check_username};
use myelin_http::{MatrixError, Public};
use ruma::api::{
    client::account::register::{
        LoginType, RegistrationKind,
        v3::{Request, Response},
    },
    error::ErrorCode,
};

use crate::{ClientApi, Error, uia};

pub(crate) async fn register(api: ClientApi, req: Public<Request>) -> Result<Response, Error> {
    let ClientApi { app, .. } = api;
    let req = req.body;
    refuse_other_kinds(&req)?;
    // A name that cannot be had is refused before the client is sent through authentication.
    let username = req.username.as_deref();
    check_username(&app.server, &app.store, &app.accounts, username).await?;
    uia::require_dummy(&app.server, req.auth.as_ref())?;
    if req.password.is_none() {
        return Err(MatrixError::missing_param("password").into());
    }
    let device = (!req.inhibit_login).then_some(NewDevice {
        device_id: req.device_id,
        display_name: req.initial_device_display_name,
    });
    let wish = Register {
        username: req.username,
        password: req.password,
        device,
    };
    let account = myelin_accounts::register(&app.server, &app.store, &app.accounts, wish).await?;

    let mut response = Response::new(account.user);
    if let Some(session) = account.session {
        response.access_token = Some(session.access_token);
        response.device_id = Some(session.device);
    }
    Ok(response)
}

/// There are neither guests nor application services here.
fn refuse_other_kinds(req: &Request) -> Result<(), MatrixError> {
    match req.kind {
        RegistrationKind::User => {}
        RegistrationKind::Guest => {
            return Err(MatrixError::new(
                StatusCode::FORBIDDEN,
                ErrorCode::GuestAccessForbidden,
                "This server has no guest accounts.",
            ));
        }
        _ => {
            return Err(MatrixError::invalid_param(
                "`kind` must be `user` or `guest`.",
            ));
        }
    }
    if req.login_type == Some(LoginType::ApplicationService) {
        return Err(MatrixError::new(
            StatusCode::UNAUTHORIZED,
            ErrorCode::UnknownToken,
            "No application service has this token.",
        ));
    }
    Ok(())
}
