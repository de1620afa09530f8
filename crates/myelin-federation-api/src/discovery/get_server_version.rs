//! `GET /_matrix/federation/v1/version`.

use myelin_http::{MatrixError, Public};
use ruma::api::federation::discovery::get_server_version::v1::{Request, Response, Server};

use crate::FederationApi;

pub(crate) async fn get_server_version(
    _: FederationApi,
    _: Public<Request>,
) -> Result<Response, MatrixError> {
    let mut server = Server::new();
    server.name = Some("Myelin".to_owned());
    server.version = Some(env!("CARGO_PKG_VERSION").to_owned());
    let mut response = Response::new();
    response.server = Some(server);
    Ok(response)
}
