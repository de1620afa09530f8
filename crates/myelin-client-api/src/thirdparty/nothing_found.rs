//! `GET /_matrix/client/v3/thirdparty/protocol/{protocol}`, and `location`, `location/{protocol}`,
//! `user` and `user/{protocol}` beside it: without protocols nothing is ever found.

use axum::response::Response;
use myelin_http::{Client, MatrixError, Raw};

use crate::ClientApi;

pub(crate) async fn no_protocol(_: ClientApi, _: Client<Raw>) -> Result<Response, MatrixError> {
    Err(MatrixError::not_found("The protocol is unknown."))
}

pub(crate) async fn no_location(_: ClientApi, _: Client<Raw>) -> Result<Response, MatrixError> {
    Err(MatrixError::not_found("No portal rooms were found."))
}

pub(crate) async fn no_user(_: ClientApi, _: Client<Raw>) -> Result<Response, MatrixError> {
    Err(MatrixError::not_found("The Matrix user was not found."))
}
