//! `DELETE /_matrix/client/v3/devices/{deviceId}`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3devicesdeviceid)

use axum::response::Response;
use myelin_http::{Client, Raw, ruma_response};
use ruma::{OwnedDeviceId, api::client::device::delete_device::v3};

use super::delete;
use crate::{ClientApi, Error};

pub(crate) async fn delete_device(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let device: OwnedDeviceId = client.body.path[0].as_str().into();
    delete(&api, &client, &[device]).await?;
    Ok(ruma_response(v3::Response::new())?)
}
