//! `POST /_matrix/client/v3/keys/query`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysquery)

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::{KeyQuery, query_all_keys};
use myelin_http::{Client, Raw, json_response};
use serde::Deserialize;
use serde_json::json;

use super::{failures, time};
use crate::{ClientApi, Error};

#[derive(Deserialize)]
struct Body {
    device_keys: KeyQuery,
    timeout: Option<u64>,
}

pub(crate) async fn get_keys(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let body: Body = client.body.json()?;
    let viewer = (client.user_number, &client.user);
    let app = &api.app;
    let servers = (&*app.server, &app.federation);
    let (query, time) = (&body.device_keys, time(body.timeout));
    let (keys, failed) = query_all_keys(servers, &app.store, viewer, query, time).await?;
    let body = json!({
        "device_keys": keys.device_keys,
        "master_keys": keys.master_keys,
        "self_signing_keys": keys.self_signing_keys,
        "user_signing_keys": keys.user_signing_keys,
        "failures": failures(failed),
    });
    Ok(json_response(StatusCode::OK, &body))
}
