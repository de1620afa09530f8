//! `GET /_matrix/client/v3/voip/turnServer`
//!
//! Clients read an empty object as "there is none".

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Client, MatrixError, json_response};
use ruma::api::client::voip::get_turn_server_info::v3::Request;
use serde_json::json;

use crate::ClientApi;

pub(crate) async fn get_turn_server_info(
    _: ClientApi,
    _: Client<Request>,
) -> Result<Response, MatrixError> {
    Ok(json_response(StatusCode::OK, &json!({})))
}
