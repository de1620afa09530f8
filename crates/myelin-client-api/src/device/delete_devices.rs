//! `POST /_matrix/client/v3/delete_devices`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3delete_devices)

use axum::response::Response;
use myelin_http::{Client, Raw, ruma_response};
use ruma::{OwnedDeviceId, api::client::device::delete_devices::v3};
use serde::Deserialize;

use super::delete;
use crate::{ClientApi, Error};

#[derive(Deserialize)]
struct Body {
    devices: Vec<OwnedDeviceId>,
}

pub(crate) async fn delete_devices(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let body: Body = client.body.json()?;
    delete(&api, &client, &body.devices).await?;
    Ok(ruma_response(v3::Response::new())?)
}
