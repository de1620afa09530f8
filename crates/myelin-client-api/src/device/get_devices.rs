//! `GET /_matrix/client/v3/devices`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3devices)

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::list_devices;
use myelin_http::{Client, Raw, json_response};
use serde_json::json;

use super::DeviceBody;
use crate::{ClientApi, Error};

pub(crate) async fn get_devices(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let devices = list_devices(&api.app.store, client.user_number).await?;
    let devices: Vec<_> = devices.into_iter().map(DeviceBody::from).collect();
    Ok(json_response(StatusCode::OK, &json!({"devices": devices})))
}
