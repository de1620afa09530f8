//! `GET /.well-known/matrix/policy_server`

use axum::response::Response;
use http::StatusCode;
use myelin_http::{MatrixError, Public, json_response};
use ruma::api::client::discovery::discover_policy_server::Request;
use serde_json::json;

use crate::ClientApi;

pub(crate) async fn discover_policy_server(
    api: ClientApi,
    _: Public<Request>,
) -> Result<Response, MatrixError> {
    let key = &api.app.settings.policy_server_key;
    if key.is_empty() {
        return Err(MatrixError::not_found("This server is no policy server."));
    }
    let told = json!({"public_keys": {"ed25519": key}});
    Ok(json_response(StatusCode::OK, &told))
}
