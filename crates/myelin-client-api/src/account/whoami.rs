//! `GET /_matrix/client/v3/account/whoami`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3accountwhoami)

use myelin_http::Client;
use ruma::api::client::account::whoami::v3::{Request, Response};

use crate::{ClientApi, Error};

pub(crate) async fn whoami(_: ClientApi, req: Client<Request>) -> Result<Response, Error> {
    let mut response = Response::new(req.user, req.guest);
    response.device_id = Some(req.device);
    Ok(response)
}
