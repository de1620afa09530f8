//! `GET /_matrix/federation/v1/query/{queryType}`

use http::StatusCode;
use myelin_http::{MatrixError, Peer};
use ruma::api::{
    error::ErrorCode,
    federation::query::get_custom_information::v1::{Request, Response},
};

use crate::FederationApi;

/// Every type of query that the specification knows has an endpoint of its own.
pub(crate) async fn get_custom_information(
    _: FederationApi,
    peer: Peer<Request>,
) -> Result<Response, MatrixError> {
    let query_type = peer.body.query_type;
    Err(MatrixError::new(
        StatusCode::NOT_FOUND,
        ErrorCode::Unrecognized,
        format!("This server knows no query of the type {query_type:?}."),
    ))
}
