//! `POST /_matrix/client/v3/keys/query`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysquery)

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::{KeyQuery, query_keys};
use myelin_http::{Client, Raw, json_response};
use serde::Deserialize;
use serde_json::json;

use super::failures;
use crate::{ClientApi, Error};

#[derive(Deserialize)]
struct Body {
    device_keys: KeyQuery,
}

pub(crate) async fn get_keys(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let body: Body = client.body.json()?;
    let viewer = Some((client.user_number, &client.user));
    let app = &api.app;
    let keys = query_keys(&app.server, &app.store, viewer, &body.device_keys).await?;
    let body = json!({
        "device_keys": keys.device_keys,
        "master_keys": keys.master_keys,
        "self_signing_keys": keys.self_signing_keys,
        "user_signing_keys": keys.user_signing_keys,
        "failures": failures(&api, body.device_keys.keys()),
    });
    Ok(json_response(StatusCode::OK, &body))
}
