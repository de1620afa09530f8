//! `DELETE /_matrix/client/v3/pushrules/global/{kind}/{ruleId}`

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::change_push_rules;
use myelin_http::{Client, Raw, json_response};
use serde_json::json;

use super::rule_in_path;
use crate::{ClientApi, Error};

pub(crate) async fn delete_pushrule(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let (kind, rule_id) = rule_in_path(&client.body)?;
    change_push_rules(&api.app.store, client.user_number, |rules| {
        rules.delete(kind, rule_id)
    })
    .await?;
    Ok(json_response(StatusCode::OK, &json!({})))
}
