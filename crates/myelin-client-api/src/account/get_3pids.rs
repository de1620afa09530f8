//! `GET /_matrix/client/v3/account/3pid`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3account3pid)

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Client, Raw, json_response};
use serde_json::json;

use crate::{ClientApi, Error};

/// Nobody has an address. Not ruma's response, which leaves an empty list out: clients look for it.
pub(crate) async fn get_3pids(_: ClientApi, _: Client<Raw>) -> Result<Response, Error> {
    Ok(json_response(StatusCode::OK, &json!({"threepids": []})))
}
