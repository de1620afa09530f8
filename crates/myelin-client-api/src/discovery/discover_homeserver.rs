//! `GET /.well-known/matrix/client`

use myelin_http::{MatrixError, Public};
use ruma::api::client::discovery::discover_homeserver::{HomeserverInfo, Request, Response};

use crate::{ClientApi, Error};

pub(crate) async fn discover_homeserver(
    api: ClientApi,
    _: Public<Request>,
) -> Result<Response, Error> {
    let base_url = &api.app.settings.base_url;
    if base_url.is_empty() {
        return Err(MatrixError::not_found("This server does not say where it is.").into());
    }
    let homeserver = HomeserverInfo::new(base_url.clone());
    Ok(Response::new(homeserver))
}
