//! `GET /_matrix/client/api/v1/login`

use axum::response::Response;
use myelin_http::{Public, Raw};
use serde_json::json;

use super::reply;
use crate::{ClientApi, Error};

pub(super) async fn get_login_types(_: ClientApi, _: Public<Raw>) -> Result<Response, Error> {
    // Clients of 2014 look at the first flow only.
    Ok(reply(&json!({"flows": [{"type": "m.login.password"}]})))
}
