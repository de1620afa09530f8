//! `DELETE /_matrix/client/v3/profile/{userId}/{keyName}`

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::set_profile_field;
use myelin_http::{Client, Raw, json_response};
use serde_json::json;

use crate::{ClientApi, Error, require_self::require_self_in_path};

pub(crate) async fn delete_profile_field(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    require_self_in_path(&client)?;
    let key = client.body.path.get(1).map_or("", String::as_str);
    let (server, store) = (&api.app.server, &api.app.store);
    set_profile_field(server, store, client.user_number, (key, None)).await?;
    Ok(json_response(StatusCode::OK, &json!({})))
}
