//! Email addresses and phone numbers, of which this server keeps none: it sends neither mail nor
//! text messages, and trusts no identity server.

use axum::response::Response;
use http::StatusCode;
use myelin_http::{MatrixError, Public, Raw, json_response};
use ruma::api::error::ErrorCode;
use serde::Deserialize;
use serde_json::json;

use crate::{ClientApi, Error};

#[derive(Deserialize)]
struct Address {
    #[serde(rename = "medium")]
    _medium: String,
    #[serde(rename = "address")]
    _address: String,
}

#[derive(Deserialize)]
struct ByEmail {
    #[serde(rename = "client_secret")]
    _client_secret: String,
    #[serde(rename = "email")]
    _email: String,
    #[serde(rename = "send_attempt")]
    _send_attempt: u64,
    id_server: Option<String>,
}

#[derive(Deserialize)]
struct ByPhone {
    #[serde(rename = "client_secret")]
    _client_secret: String,
    #[serde(rename = "country")]
    _country: String,
    #[serde(rename = "phone_number")]
    _phone_number: String,
    #[serde(rename = "send_attempt")]
    _send_attempt: u64,
    id_server: Option<String>,
}

/// The three endpoints that want a token sent to an email address.
pub(crate) async fn deny_email(_: ClientApi, req: Public<Raw>) -> Result<Response, Error> {
    let body: ByEmail = req.body.json()?;
    Err(deny(body.id_server.as_deref()))
}

/// The three endpoints that want a token sent to a phone.
pub(crate) async fn deny_phone(_: ClientApi, req: Public<Raw>) -> Result<Response, Error> {
    let body: ByPhone = req.body.json()?;
    Err(deny(body.id_server.as_deref()))
}

/// 400 for who wants an identity server asked.
pub(super) fn no_identity_server() -> MatrixError {
    MatrixError::new(
        StatusCode::BAD_REQUEST,
        ErrorCode::ServerNotTrusted,
        "This server works with no identity server.",
    )
}

/// The answer to who wants an address forgotten.
pub(super) fn nothing_unbound(raw: &Raw) -> Result<Response, MatrixError> {
    let _: Address = raw.json()?;
    let body = json!({"id_server_unbind_result": "no-support"});
    Ok(json_response(StatusCode::OK, &body))
}

fn deny(id_server: Option<&str>) -> Error {
    if id_server.is_some() {
        return no_identity_server().into();
    }
    MatrixError::new(
        StatusCode::FORBIDDEN,
        ErrorCode::ThreepidDenied,
        "This server keeps neither email addresses nor phone numbers.",
    )
    .into()
}
