//! `GET /_matrix/client/api/v1/register`

use axum::response::Response;
use myelin_http::{Public, Raw};
use serde_json::json;

use super::reply;
use crate::{ClientApi, Error};

pub(super) async fn get_registration_flows(
    _: ClientApi,
    _: Public<Raw>,
) -> Result<Response, Error> {
    Ok(reply(&json!({"flows": [{"type": "m.login.password"}]})))
}
