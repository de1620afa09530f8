//! `GET /_matrix/client/api/v1/voip/turnServer`

use axum::response::Response;
use myelin_http::{Client, Raw};
use serde_json::json;

use super::reply;
use crate::{ClientApi, Error};

/// This server relays no calls: clients connect to each other directly.
pub(super) async fn get_turn_server_info(_: ClientApi, _: Client<Raw>) -> Result<Response, Error> {
    Ok(reply(&json!({})))
}
