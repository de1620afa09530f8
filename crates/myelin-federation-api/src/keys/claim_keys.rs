//! `POST /_matrix/federation/v1/user/keys/claim`

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::KeyClaims;
use myelin_http::{MatrixError, Peer, Raw, json_response};
use serde::Deserialize;
use serde_json::json;

use super::USERS_MAX;
use crate::{Error, FederationApi};

#[derive(Deserialize)]
struct Body {
    one_time_keys: KeyClaims,
}

/// Whoever knows a device may begin to talk to it: a message can come before a room is shared.
pub(crate) async fn claim_keys(api: FederationApi, peer: Peer<Raw>) -> Result<Response, Error> {
    let body: Body = peer.body.json()?;
    if body.one_time_keys.len() > USERS_MAX {
        let message = format!("`one_time_keys` may name at most {USERS_MAX} users.");
        return Err(MatrixError::invalid_param(message).into());
    }
    let app = &api.app;
    let claimed = myelin_accounts::claim_keys(&app.server, &app.store, &body.one_time_keys).await?;
    let body = json!({ "one_time_keys": claimed });
    Ok(json_response(StatusCode::OK, &body))
}
