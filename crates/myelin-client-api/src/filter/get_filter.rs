//! `GET /_matrix/client/v3/user/{userId}/filter/{filterId}`

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::find_filter;
use myelin_http::{Client, MatrixError, Raw, json_response};
use serde_json::value::RawValue;

use crate::{ClientApi, Error, require_self::require_self_in_path};

pub(crate) async fn get_filter(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    require_self_in_path(&client)?;
    let id = client.body.path.get(1).map_or("", String::as_str);
    let found = find_filter(&mut api.app.store.read(), client.user_number, id).await?;
    let found = found.ok_or_else(|| MatrixError::not_found("Unknown filter."))?;
    let body: Box<RawValue> = serde_json::from_slice(&found).map_err(MatrixError::internal)?;
    Ok(json_response(StatusCode::OK, &body))
}
