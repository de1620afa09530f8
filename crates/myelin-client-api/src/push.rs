//! What users are notified of.

mod get_pushrule;
mod get_pushrule_actions;
mod get_pushrule_enabled;
mod get_pushrules_all;
mod get_pushrules_global_scope;

use myelin_accounts::push_rules;
use myelin_http::{MatrixError, Routes};
use ruma::{
    UserId,
    api::client::push as api,
    push::{AnyPushRule, AnyPushRuleRef, RuleKind},
};

use crate::ClientApi;

/// The endpoints of this area. ruma's answers leave out kinds without rules.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .endpoint(get_pushrule::get_pushrule)
        .endpoint(get_pushrule_actions::get_pushrule_actions)
        .endpoint(get_pushrule_enabled::get_pushrule_enabled)
        .raw_endpoint::<api::get_pushrules_all::v3::Request, _, _, _, _>(
            get_pushrules_all::get_pushrules_all,
        )
        .raw_endpoint::<api::get_pushrules_global_scope::v3::Request, _, _, _, _>(
            get_pushrules_global_scope::get_pushrules_global_scope,
        )
}

/// One rule of a user.
fn push_rule(user: &UserId, kind: RuleKind, rule_id: &str) -> Result<AnyPushRule, MatrixError> {
    let rules = push_rules(user);
    let found = rules.get(kind, rule_id).map(AnyPushRuleRef::to_owned);
    found.ok_or_else(|| MatrixError::not_found("Push rule not found."))
}
