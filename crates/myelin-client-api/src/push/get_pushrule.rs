//! `GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}`

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Client, Raw, json_response};

use super::rule;
use crate::{ClientApi, Error};

pub(crate) async fn get_pushrule(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let rule = rule(&api, &client).await?;
    Ok(json_response(StatusCode::OK, &rule))
}
