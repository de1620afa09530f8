//! `GET /_matrix/client/v3/admin/whois/{userId}`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3adminwhoisuserid)

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::{find_account, list_devices};
use myelin_http::{Client, MatrixError, Raw, json_response};
use myelin_store::sessions::SeenDevice;
use ruma::UserId;
use serde_json::{Map, Value, json};

use crate::{ClientApi, Error};

/// Users look themselves up, administrators everybody.
pub(crate) async fn get_user_info(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let user = UserId::parse(client.body.path[0].as_str())
        .map_err(|_| MatrixError::invalid_param("This is no user id."))?;
    if user != client.user && !client.admin {
        let message = "Only administrators may look other users up.";
        return Err(MatrixError::forbidden(message).into());
    }
    let app = &api.app;
    let account = find_account(&app.server, &app.store, user.as_str()).await?;
    let account = account.ok_or_else(|| MatrixError::not_found("No such user here."))?;
    let devices = list_devices(&app.store, account.number).await?;
    let devices: Map<String, Value> = devices.into_iter().map(device).collect();
    let body = json!({"user_id": account.user, "devices": devices});
    Ok(json_response(StatusCode::OK, &body))
}

/// One session a device, and its last connection.
fn device(device: SeenDevice) -> (String, Value) {
    let mut connection = Map::new();
    connection.insert("last_seen".to_owned(), device.last_seen_ms.into());
    if let Some(address) = device.address {
        connection.insert("ip".to_owned(), address.into());
    }
    if let Some(user_agent) = device.user_agent {
        connection.insert("user_agent".to_owned(), user_agent.into());
    }
    let sessions = json!({"sessions": [{"connections": [connection]}]});
    (device.device_id, sessions)
}
