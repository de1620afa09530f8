//! `PUT /_matrix/client/v3/profile/{userId}/{keyName}`

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::set_profile_field as set;
use myelin_http::{Client, MatrixError, Raw, json_response};
use serde_json::{Map, Value, json};

use crate::{ClientApi, Error, require_self::require_self_in_path};

pub(crate) async fn set_profile_field(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    require_self_in_path(&client)?;
    let key = client.body.path.get(1).map_or("", String::as_str);
    let mut body: Map<String, Value> = client.body.json()?;
    let value = body
        .remove(key)
        .ok_or_else(|| MatrixError::missing_param(key))?;
    let (server, store) = (&api.app.server, &api.app.store);
    set(server, store, client.user_number, (key, Some(value))).await?;
    Ok(json_response(StatusCode::OK, &json!({})))
}
