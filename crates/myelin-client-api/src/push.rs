//! What users are notified of.
//!
//! The requests are read here, for ruma's types of them know fewer rules than users may have.

mod delete_pushrule;
mod get_notifications;
mod get_pushrule;
mod get_pushrule_actions;
mod get_pushrule_enabled;
mod get_pushrules_all;
mod get_pushrules_global_scope;
mod set_pushrule;
mod set_pushrule_actions;
mod set_pushrule_enabled;

use myelin_accounts::get_push_rules;
use myelin_core::push::RuleKind;
use myelin_http::{Client, MatrixError, Raw, Routes};
use ruma::api::client::push as api;
use serde_json::Value;

use crate::{ClientApi, Error};

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .raw_endpoint::<api::get_notifications::v3::Request, _, _, _, _>(
            get_notifications::get_notifications,
        )
        .raw_endpoint::<api::get_pushrules_all::v3::Request, _, _, _, _>(
            get_pushrules_all::get_pushrules_all,
        )
        .raw_endpoint::<api::get_pushrules_global_scope::v3::Request, _, _, _, _>(
            get_pushrules_global_scope::get_pushrules_global_scope,
        )
        .raw_endpoint::<api::get_pushrule::v3::Request, _, _, _, _>(get_pushrule::get_pushrule)
        .raw_endpoint::<api::set_pushrule::v3::Request, _, _, _, _>(set_pushrule::set_pushrule)
        .raw_endpoint::<api::delete_pushrule::v3::Request, _, _, _, _>(
            delete_pushrule::delete_pushrule,
        )
        .raw_endpoint::<api::get_pushrule_actions::v3::Request, _, _, _, _>(
            get_pushrule_actions::get_pushrule_actions,
        )
        .raw_endpoint::<api::set_pushrule_actions::v3::Request, _, _, _, _>(
            set_pushrule_actions::set_pushrule_actions,
        )
        .raw_endpoint::<api::get_pushrule_enabled::v3::Request, _, _, _, _>(
            get_pushrule_enabled::get_pushrule_enabled,
        )
        .raw_endpoint::<api::set_pushrule_enabled::v3::Request, _, _, _, _>(
            set_pushrule_enabled::set_pushrule_enabled,
        )
}

/// The kind and the id in the path of a request about one rule. There is no rule of an unknown kind.
fn rule_in_path(raw: &Raw) -> Result<(RuleKind, &str), MatrixError> {
    let parameter = |index: usize| raw.path.get(index).map_or("", String::as_str);
    let kind = RuleKind::parse(parameter(0)).ok_or_else(not_found)?;
    Ok((kind, parameter(1)))
}

/// The rule that a request is about, as its user is shown it.
async fn rule(api: &ClientApi, client: &Client<Raw>) -> Result<Value, Error> {
    let (kind, rule_id) = rule_in_path(&client.body)?;
    let mut read = api.app.store.read();
    let rules = get_push_rules(&mut read, client.user_number).await?;
    let rule = rules.find(kind, rule_id, client.user.as_str());
    Ok(rule.ok_or_else(not_found)?)
}

fn not_found() -> MatrixError {
    MatrixError::not_found("The push rule was not found.")
}
