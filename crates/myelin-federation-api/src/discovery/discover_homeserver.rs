//! `GET /.well-known/matrix/server`

use myelin_http::{MatrixError, Public};
use ruma::{
    ServerName,
    api::federation::discovery::discover_homeserver::{Request, Response},
};

use crate::FederationApi;

pub(crate) async fn discover_homeserver(
    api: FederationApi,
    _: Public<Request>,
) -> Result<Response, MatrixError> {
    match ServerName::parse(&api.app.settings.federation_delegate) {
        Ok(delegate) => Ok(Response::new(delegate)),
        // It is empty: the name stands for itself.
        Err(_) => Err(MatrixError::not_found(
            "No other server speaks for this one.",
        )),
    }
}
