//! `PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}`

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::change_push_rules;
use myelin_core::push::{NewRule, Place};
use myelin_http::{Client, Raw, json_response};
use serde_json::json;

use super::rule_in_path;
use crate::{ClientApi, Error};

pub(crate) async fn set_pushrule(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
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
