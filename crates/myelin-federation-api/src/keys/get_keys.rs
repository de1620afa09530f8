//! `POST /_matrix/federation/v1/user/keys/query`

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::{KeyQuery, query_keys};
use myelin_http::{MatrixError, Peer, Raw, json_response};
use serde::Deserialize;
use serde_json::json;

use super::{USERS_MAX, shares_room};
use crate::{Error, FederationApi};

#[derive(Deserialize)]
struct Body {
    device_keys: KeyQuery,
}

/// Whoever begins a talk asks for keys before a room is shared, and clients do not encrypt for who
/// seems to have none. What a user calls the devices is told in shared rooms alone.
pub(crate) async fn get_keys(api: FederationApi, peer: Peer<Raw>) -> Result<Response, Error> {
    let body: Body = peer.body.json()?;
    if body.device_keys.len() > USERS_MAX {
        let message = format!("`device_keys` may name at most {USERS_MAX} users.");
        return Err(MatrixError::invalid_param(message).into());
    }
    let (server, store) = (&api.app.server, &api.app.store);
    let mut keys = query_keys(server, store, None, &body.device_keys).await?;
    for (user, devices) in &mut keys.device_keys {
        if !devices.is_empty() && !shares_room(&api, &peer.origin, user).await? {
            for device in devices.values_mut() {
                device.remove("unsigned");
            }
        }
    }
    let body = json!({
        "device_keys": keys.device_keys,
        "master_keys": keys.master_keys,
        "self_signing_keys": keys.self_signing_keys,
    });
    Ok(json_response(StatusCode::OK, &body))
}
