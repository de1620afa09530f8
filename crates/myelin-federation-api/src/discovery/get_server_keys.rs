//! `GET /_matrix/key/v2/server`

use myelin_accounts::published_keys;
use myelin_http::{MatrixError, Public};
use ruma::{
    api::federation::discovery::get_server_keys::v2::{Request, Response},
    serde::Raw,
};
use serde_json::value::to_raw_value;

use crate::FederationApi;

pub(crate) async fn get_server_keys(
    api: FederationApi,
    _: Public<Request>,
) -> Result<Response, MatrixError> {
    let keys = published_keys(&api.app.server, &api.app.store).await;
    let raw = to_raw_value(&keys.map_err(MatrixError::internal)?).map_err(MatrixError::internal)?;
    Ok(Response::new(Raw::from_json(raw)))
}
