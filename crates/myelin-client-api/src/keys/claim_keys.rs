//! `POST /_matrix/client/v3/keys/claim`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysclaim)

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::{KeyClaims, claim_remote_keys};
use myelin_http::{Client, Raw, json_response};
use serde::Deserialize;
use serde_json::json;

use super::{failures, remote, time};
use crate::{ClientApi, Error};

#[derive(Deserialize)]
struct Body {
    one_time_keys: KeyClaims,
    timeout: Option<u64>,
}

pub(crate) async fn claim_keys(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let body: Body = client.body.json()?;
    let app = &api.app;
    let claims = &body.one_time_keys;
    let mut claimed = myelin_accounts::claim_keys(&app.server, &app.store, claims).await?;
    let (claims, time) = (remote(&api, claims), time(body.timeout));
    let failed = claim_remote_keys(&app.federation, &claims, time, &mut claimed).await;
    let body = json!({
        "one_time_keys": claimed,
        "failures": failures(failed),
    });
    Ok(json_response(StatusCode::OK, &body))
}
