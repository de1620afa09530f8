//! `PUT /_matrix/client/v3/sendToDevice/{eventType}/{txnId}`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3sendtodeviceeventtypetxnid)

use axum::response::Response;
use myelin_accounts::{Messages, SendToDevice, send_to_device};
use myelin_http::{Client, Raw, ruma_response};
use ruma::api::client::to_device::send_event_to_device::v3;
use serde::Deserialize;

use crate::{ClientApi, Error};

/// Not ruma's type, which takes contents that are no objects.
#[derive(Deserialize)]
struct Body {
    messages: Messages,
}

pub(crate) async fn send_event_to_device(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let body: Body = client.body.json()?;
    let send = SendToDevice {
        sender: &client.user,
        sender_number: client.user_number,
        device: client.device.as_str(),
        txn_id: &client.body.path[1],
        event_type: &client.body.path[0],
        messages: &body.messages,
    };
    let app = &api.app;
    send_to_device(&app.server, &app.store, &app.federation, &send).await?;
    Ok(ruma_response(v3::Response::new())?)
}
