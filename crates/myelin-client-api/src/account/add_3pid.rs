//! `POST /_matrix/client/v3/account/3pid/add`, and the deprecated `POST /_matrix/client/v3/account/3pid`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidadd)

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::uia::Act;
use myelin_http::{Client, MatrixError, Raw};
use ruma::api::error::ErrorCode;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::{ClientApi, Error, uia};

#[derive(Deserialize)]
struct Body {
    #[serde(rename = "client_secret")]
    _client_secret: String,
    #[serde(rename = "sid")]
    _sid: String,
}

#[derive(Deserialize)]
struct OldBody {
    #[serde(rename = "three_pid_creds")]
    _three_pid_creds: IgnoredAny,
}

/// No address can be validated here, so no session is one of a validated address.
pub(crate) async fn add_3pid(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let _: Body = client.body.json()?;
    uia::approve_by_user(&api, &client, Act::AddAddress).await?;
    Err(not_validated(StatusCode::BAD_REQUEST))
}

/// The same without authentication, as it was before there was any.
pub(crate) async fn add_3pid_of_old(_: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let _: OldBody = client.body.json()?;
    Err(not_validated(StatusCode::FORBIDDEN))
}

fn not_validated(status: StatusCode) -> Error {
    MatrixError::new(
        status,
        ErrorCode::ThreepidAuthFailed,
        "No address was validated in this session.",
    )
    .into()
}
