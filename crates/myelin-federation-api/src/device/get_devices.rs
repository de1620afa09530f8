//! `GET /_matrix/federation/v1/user/devices/{userId}`

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::device_list;
use myelin_http::{MatrixError, Peer, Raw, json_response};
use ruma::OwnedUserId;
use serde_json::json;

use crate::{Error, FederationApi, keys::shares_room};

pub(crate) async fn get_devices(api: FederationApi, peer: Peer<Raw>) -> Result<Response, Error> {
    let name = peer.body.path.first().map(String::as_str);
    let user = OwnedUserId::try_from(name.unwrap_or_default())
        .map_err(|_| MatrixError::invalid_param("This is no user id."))?;
    if !shares_room(&api, &peer.origin, &user).await? {
        let message = format!("{} shares no room with {user}.", peer.origin);
        return Err(MatrixError::forbidden(message).into());
    }
    let list = device_list(&api.app.server, &api.app.store, &user).await?;
    let devices = list.devices.into_iter();
    let devices = devices.map(|(device_id, (keys, name))| {
        let mut device = json!({"device_id": device_id, "keys": keys});
        if let Some(name) = name {
            device["device_display_name"] = name.into();
        }
        device
    });
    let mut body = json!({
        "user_id": user,
        "stream_id": list.stream_id,
        "devices": devices.collect::<Vec<_>>(),
    });
    let keys = [
        ("master_key", list.master_key),
        ("self_signing_key", list.self_signing_key),
    ];
    for (name, key) in keys {
        if let Some(key) = key {
            body[name] = key.into();
        }
    }
    Ok(json_response(StatusCode::OK, &body))
}
