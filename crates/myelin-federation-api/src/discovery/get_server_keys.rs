//! `GET /_matrix/key/v2/server`.

use std::time::Duration;

use myelin_http::{MatrixError, Public};
use ruma::{
    CanonicalJsonObject,
    api::federation::discovery::get_server_keys::v2::{Request, Response},
    serde::Raw,
};
use serde_json::{json, value::to_raw_value};

use crate::FederationApi;

/// How long others may take our keys for valid before they ask again.
const VALIDITY: Duration = Duration::from_hours(24);

pub(crate) async fn get_server_keys(
    api: FederationApi,
    _: Public<Request>,
) -> Result<Response, MatrixError> {
    let server = &api.app.server;
    let valid_for = u64::try_from(VALIDITY.as_millis()).unwrap_or_default();
    let keys = json!({
        "server_name": server.name,
        "valid_until_ts": server.now_ms() + valid_for,
        "verify_keys": {server.key.key_id(): {"key": server.key.public_key_base64()}},
        "old_verify_keys": {},
    });
    let mut object: CanonicalJsonObject =
        serde_json::from_value(keys).map_err(MatrixError::internal)?;
    let signed = server.key.sign_object(&server.name, &mut object);
    signed.map_err(MatrixError::internal)?;
    let raw = to_raw_value(&object).map_err(MatrixError::internal)?;
    Ok(Response::new(Raw::from_json(raw)))
}
