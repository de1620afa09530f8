//! `POST /_matrix/client/v3/user/{userId}/filter`
//!
//! The body is read here, for ruma's type of it forgets the keys that it does not know.

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::create_filter as create;
use myelin_http::{Client, MatrixError, Raw, json_response};
use myelin_sync::filter::Filter;
use serde_json::{Map, Value, json};

use crate::{ClientApi, Error, require_self::require_self_in_path};

pub(crate) async fn create_filter(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    require_self_in_path(&client)?;
    let body: Map<String, Value> = client.body.json()?;
    let definition = Value::Object(body).to_string();
    Filter::parse(&definition).map_err(|error| {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        MatrixError::bad_json(format!("{error}: {}.", source.unwrap_or_default()))
    })?;
    let (server, store) = (&api.app.server, &api.app.store);
    let id = create(server, store, client.user_number, definition.as_bytes()).await?;
    Ok(json_response(StatusCode::OK, &json!({"filter_id": id})))
}
