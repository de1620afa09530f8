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

/// Users who share no room with the server are left out.
pub(crate) async fn get_keys(api: FederationApi, peer: Peer<Raw>) -> Result<Response, Error> {
    let body: Body = peer.body.json()?;
    if body.device_keys.len() > USERS_MAX {
        let message = format!("`device_keys` may name at most {USERS_MAX} users.");
        return Err(MatrixError::invalid_param(message).into());
    }
    let mut query = KeyQuery::new();
    for (user, devices) in body.device_keys {
        if shares_room(&api, &peer.origin, &user).await? {
            query.insert(user, devices);
        }
    }
    let keys = query_keys(&api.app.server, &api.app.store, None, &query).await?;
    let body = json!({
        "device_keys": keys.device_keys,
        "master_keys": keys.master_keys,
        "self_signing_keys": keys.self_signing_keys,
    });
    Ok(json_response(StatusCode::OK, &body))
}
