//! `GET` and `POST /_synapse/admin/v1/register`: tools such as `register_new_matrix_user` fetch a
//! nonce and register with a signature by the shared secret.

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::{
    NewDevice, Permission, Register,
    shared_secret::{SignedRegistration, make_nonce, verify},
};
use myelin_http::{Public, Raw, json_response, seen_from};
use serde::Deserialize;
use serde_json::json;

use crate::{ClientApi, Error};

#[derive(Deserialize)]
struct Body {
    nonce: String,
    username: String,
    password: String,
    admin: Option<bool>,
    user_type: Option<String>,
    inhibit_login: Option<bool>,
    mac: String,
}

pub(super) async fn get_nonce(api: ClientApi, _: Public<Raw>) -> Result<Response, Error> {
    let nonce = make_nonce(&api.app.server, &api.app.accounts)?;
    Ok(json_response(StatusCode::OK, &json!({ "nonce": nonce })))
}

pub(super) async fn register(api: ClientApi, req: Public<Raw>) -> Result<Response, Error> {
    let app = &api.app;
    let body: Body = req.body.json()?;
    let signed = SignedRegistration {
        nonce: body.nonce,
        username: body.username,
        password: body.password,
        admin: body.admin == Some(true),
        user_type: body.user_type,
        mac: body.mac,
    };
    let nonce = verify(&app.server, &app.accounts, &signed)?;
    let device = (body.inhibit_login != Some(true)).then(|| NewDevice {
        seen_from: seen_from(&req.body.parts),
        ..NewDevice::default()
    });
    let wish = Register {
        username: Some(signed.username),
        password: Some(signed.password),
        admin: signed.admin,
        device,
        guest: None,
    };
    let permission = Permission::SharedSecret(nonce);
    let registered =
        myelin_accounts::register(&app.server, &app.store, &app.accounts, permission, wish).await?;
    let mut body = json!({"user_id": registered.user, "home_server": app.server.name});
    if let Some(session) = registered.session {
        body["access_token"] = session.tokens.access_token.into();
        body["device_id"] = session.device.as_str().into();
    }
    Ok(json_response(StatusCode::OK, &body))
}
