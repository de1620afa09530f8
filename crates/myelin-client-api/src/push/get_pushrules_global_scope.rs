//! `GET /_matrix/client/v3/pushrules/global/`

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::shown_push_rules;
use myelin_http::{Client, MatrixError, json_response};
use ruma::api::client::push::get_pushrules_global_scope::v3::Request;

use crate::ClientApi;

pub(crate) async fn get_pushrules_global_scope(
    _: ClientApi,
    client: Client<Request>,
) -> Result<Response, MatrixError> {
    let rules = shown_push_rules(&client.user);
    Ok(json_response(StatusCode::OK, &rules["global"]))
}
