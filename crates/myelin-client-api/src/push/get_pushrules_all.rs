//! `GET /_matrix/client/v3/pushrules/`

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::shown_push_rules;
use myelin_http::{Client, MatrixError, json_response};
use ruma::api::client::push::get_pushrules_all::v3::Request;

use crate::ClientApi;

pub(crate) async fn get_pushrules_all(
    _: ClientApi,
    client: Client<Request>,
) -> Result<Response, MatrixError> {
    Ok(json_response(
        StatusCode::OK,
        &shown_push_rules(&client.user),
    ))
}
