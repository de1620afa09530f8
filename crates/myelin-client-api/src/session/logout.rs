//! `POST /_matrix/client/v3/logout`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3logout)

use myelin_http::Client;
use ruma::api::client::session::logout::v3::{Request, Response};

use crate::{ClientApi, Error};

pub(crate) async fn logout(api: ClientApi, req: Client<Request>) -> Result<Response, Error> {
    myelin_accounts::logout(&api.app.store, req.user_number, &req.device).await?;
    Ok(Response::new())
}
