//! `GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled`

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Client, Raw, json_response};
use serde_json::json;

use super::rule;
use crate::{ClientApi, Error};

pub(crate) async fn get_pushrule_enabled(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let rule = rule(&api, &client).await?;
    let enabled = json!({"enabled": rule["enabled"]});
    Ok(json_response(StatusCode::OK, &enabled))
}
