//! `POST /_matrix/client/v3/keys/claim`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysclaim)

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::KeyClaims;
use myelin_http::{Client, Raw, json_response};
use serde::Deserialize;
use serde_json::json;

use super::failures;
use crate::{ClientApi, Error};

#[derive(Deserialize)]
struct Body {
    one_time_keys: KeyClaims,
}

pub(crate) async fn claim_keys(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let body: Body = client.body.json()?;
    let app = &api.app;
    let claimed = myelin_accounts::claim_keys(&app.server, &app.store, &body.one_time_keys).await?;
    let body = json!({
        "one_time_keys": claimed,
        "failures": failures(&api, body.one_time_keys.keys()),
    });
    Ok(json_response(StatusCode::OK, &body))
}
