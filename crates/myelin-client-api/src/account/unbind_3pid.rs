//! `POST /_matrix/client/v3/account/3pid/unbind`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidunbind)

use axum::response::Response;
use myelin_http::{Client, Raw};

use super::addresses::nothing_unbound;
use crate::{ClientApi, Error};

pub(crate) async fn unbind_3pid(_: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    Ok(nothing_unbound(&client.body)?)
}
