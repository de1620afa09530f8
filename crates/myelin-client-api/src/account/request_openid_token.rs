//! `POST /_matrix/client/v3/user/{userId}/openid/request_token`

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::{OPENID_TOKEN_LIFETIME, request_openid_token as request};
use myelin_http::{Client, json_response};
use ruma::api::client::account::request_openid_token::v3::Request;
use serde_json::json;

use crate::{ClientApi, Error, require_self::require_self};

pub(crate) async fn request_openid_token(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    require_self(&client.user, &client.body.user_id)?;
    let (server, store) = (&api.app.server, &api.app.store);
    let token = request(server, store, client.user_number).await?;
    let answer = json!({
        "access_token": token,
        "token_type": "Bearer",
        "matrix_server_name": server.name,
        "expires_in": OPENID_TOKEN_LIFETIME.as_secs(),
    });
    Ok(json_response(StatusCode::OK, &answer))
}
