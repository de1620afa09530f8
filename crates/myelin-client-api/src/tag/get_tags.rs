//! `GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags`

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::get_tags as get;
use myelin_http::{Client, json_response};
use ruma::api::client::tag::get_tags::v3::Request;
use serde_json::json;

use crate::{ClientApi, Error, require_self::require_self};

pub(crate) async fn get_tags(api: ClientApi, client: Client<Request>) -> Result<Response, Error> {
    require_self(&client.user, &client.body.user_id)?;
    let tags = get(&api.app.store, client.user_number, &client.body.room_id).await?;
    Ok(json_response(StatusCode::OK, &json!({"tags": tags})))
}
