//! `GET /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device`

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Client, Raw, json_response};
use myelin_store::StoreError;
use serde_json::{json, value::RawValue};

use crate::{ClientApi, Error};

pub(crate) async fn get_dehydrated_device(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let store = &api.app.store;
    let found = myelin_accounts::get_dehydrated_device(store, client.user_number).await?;
    let data: Result<Box<RawValue>, _> = serde_json::from_slice(&found.device_data);
    let data = data.map_err(|error| StoreError::Corrupt {
        table: "dehydrated_devices",
        column: 1,
        wanted: "a JSON object",
        found: error.to_string(),
    })?;
    let body = json!({"device_id": found.device_id, "device_data": data});
    Ok(json_response(StatusCode::OK, &body))
}
