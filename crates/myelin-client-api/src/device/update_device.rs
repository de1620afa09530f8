//! `PUT /_matrix/client/v3/devices/{deviceId}`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3devicesdeviceid)

use myelin_accounts::rename_device;
use myelin_http::Client;
use ruma::api::client::device::update_device::v3::{Request, Response};

use crate::{ClientApi, Error};

pub(crate) async fn update_device(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let Request {
        device_id,
        display_name,
        ..
    } = client.body;
    let name = display_name.as_deref();
    rename_device(&api.app.store, client.user_number, &device_id, name).await?;
    Ok(Response::new())
}
