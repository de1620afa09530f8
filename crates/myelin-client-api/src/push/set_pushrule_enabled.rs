//! `PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled`

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::change_push_rules;
use myelin_http::{Client, Raw, json_response};
use serde::Deserialize;
use serde_json::json;

use super::rule_in_path;
use crate::{ClientApi, Error};

#[derive(Deserialize)]
struct Body {
    enabled: bool,
}

pub(crate) async fn set_pushrule_enabled(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let rule_at = rule_in_path(&client.body)?;
    let Body { enabled } = client.body.json()?;
    change_push_rules(&api.app.store, client.user_number, |rules| {
        rules.set_enabled(rule_at, enabled)
    })
    .await?;
    Ok(json_response(StatusCode::OK, &json!({})))
}
