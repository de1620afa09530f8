//! `POST /_matrix/client/v3/account/3pid/bind`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidbind)

use axum::response::Response;
use myelin_http::{Client, Raw};
use serde::Deserialize;

use super::addresses::no_identity_server;
use crate::{ClientApi, Error};

#[derive(Deserialize)]
struct Body {
    #[serde(rename = "client_secret")]
    _client_secret: String,
    #[serde(rename = "id_server")]
    _id_server: String,
    #[serde(rename = "id_access_token")]
    _id_access_token: String,
    #[serde(rename = "sid")]
    _sid: String,
}

pub(crate) async fn bind_3pid(_: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let _: Body = client.body.json()?;
    Err(no_identity_server().into())
}
