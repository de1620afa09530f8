//! `PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}`

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::change_push_rules;
use myelin_core::push::{NewRule, Place, RuleKind};
use myelin_http::{Client, MatrixError, Raw, json_response};
use serde_json::json;

use super::rule_in_path;
use crate::{ClientApi, Error};

pub(crate) async fn set_pushrule(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let kind = client.body.path.first().map_or("", String::as_str);
    if RuleKind::parse(kind).is_none() {
        let message = format!("There are no push rules of the kind `{kind}`.");
        return Err(MatrixError::invalid_param(message).into());
    }
    let rule_at = rule_in_path(&client.body)?;
    let query = client.body.query()?;
    // With both, `before` counts (spec).
    let place = match (query.get("before")?, query.get("after")?) {
        (Some(before), _) => Place::Before(before),
        (None, Some(after)) => Place::After(after),
        (None, None) => Place::Anywhere,
    };
    let rule: NewRule = client.body.json()?;
    change_push_rules(&api.app.store, client.user_number, |rules| {
        rules.put(rule_at, rule.clone(), place)
    })
    .await?;
    Ok(json_response(StatusCode::OK, &json!({})))
}
