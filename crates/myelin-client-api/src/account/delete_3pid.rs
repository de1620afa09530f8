//! `POST /_matrix/client/v3/account/3pid/delete`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3piddelete)

use axum::response::Response;
use myelin_http::{Client, Raw};

use super::addresses::nothing_unbound;
use crate::{ClientApi, Error};

/// Nobody has an address, so afterwards they have it as little as before.
pub(crate) async fn delete_3pid(_: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    Ok(nothing_unbound(&client.body)?)
}
