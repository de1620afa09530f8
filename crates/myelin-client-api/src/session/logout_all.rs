//! `POST /_matrix/client/v3/logout/all`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3logoutall)

use myelin_http::Client;
use ruma::api::client::session::logout_all::v3::{Request, Response};

use crate::{ClientApi, Error};

pub(crate) async fn logout_all(api: ClientApi, req: Client<Request>) -> Result<Response, Error> {
    myelin_accounts::logout_all(&api.app.store, req.user_number).await?;
    Ok(Response::new())
}
