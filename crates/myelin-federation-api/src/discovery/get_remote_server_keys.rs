//! `GET /_matrix/key/v2/query/{serverName}`
//!
//! ruma's type takes the time from the system's clock where none is given; ours is handed in.

use std::collections::BTreeMap;

use axum::response::Response;
use myelin_http::{MatrixError, Public, Raw};
use ruma::OwnedServerName;

use super::notary;
use crate::FederationApi;

pub(crate) async fn get_remote_server_keys(
    api: FederationApi,
    request: Public<Raw>,
) -> Result<Response, MatrixError> {
    let name = request.body.path.first().cloned().unwrap_or_default();
    let server = OwnedServerName::try_from(name)
        .map_err(|_| MatrixError::invalid_param("In the path: this is not a server name."))?;
    let until = request.body.query()?.number("minimum_valid_until_ts")?;
    let until = until.unwrap_or_else(|| api.app.server.now_ms());
    notary::answer(&api, BTreeMap::from([(server, until)])).await
}
