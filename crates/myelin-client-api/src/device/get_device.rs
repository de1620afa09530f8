//! `GET /_matrix/client/v3/devices/{deviceId}`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3devicesdeviceid)

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::{DeviceError, find_device};
use myelin_http::{Client, Raw, json_response};
use ruma::DeviceId;

use super::DeviceBody;
use crate::{ClientApi, Error};

pub(crate) async fn get_device(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let id: &DeviceId = client.body.path[0].as_str().into();
    let device = find_device(&api.app.store, client.user_number, id).await?;
    let device = device.ok_or(DeviceError::NotFound)?;
    Ok(json_response(StatusCode::OK, &DeviceBody::from(device)))
}
