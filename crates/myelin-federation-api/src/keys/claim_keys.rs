//! `POST /_matrix/federation/v1/user/keys/claim`

use std::collections::BTreeMap;

use myelin_http::{MatrixError, Peer};
use ruma::api::federation::keys::claim_keys::v1::{Request, Response};

use crate::FederationApi;

/// One-time keys, of which no device has any so far: who has none is left out.
pub(crate) async fn claim_keys(
    _: FederationApi,
    _: Peer<Request>,
) -> Result<Response, MatrixError> {
    Ok(Response::new(BTreeMap::new()))
}
