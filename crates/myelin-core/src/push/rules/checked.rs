//! What users give as rules of their own, as far as it can be one.

use serde_json::Value;

use super::{NewRule, OwnRule, PATTERN_CHARACTERS_MAX, PushRuleError, RULE_ID_BYTES_MAX};
use crate::push::{kind::RuleKind, predefined};

/// Actions of former times that mean nothing (spec: "Historical Actions").
const HISTORICAL: [&str; 2] = ["dont_notify", "coalesce"];

pub(super) fn check_id(kind: RuleKind, rule_id: &str) -> Result<(), PushRuleError> {
    if kind == RuleKind::PostContent {
        return Err(PushRuleError::NoOwnRules(kind));
    }
    if predefined::find(kind, rule_id).is_some() {
        return Err(PushRuleError::Predefined(rule_id.to_owned()));
    }
    let is_short = (1..=RULE_ID_BYTES_MAX).contains(&rule_id.len());
    if is_short && !rule_id.starts_with('.') && !rule_id.contains(['/', '\\', '\0']) {
        Ok(())
    } else {
        Err(PushRuleError::InvalidId)
    }
}

pub(super) fn checked(
    kind: RuleKind,
    rule_id: &str,
    rule: NewRule,
) -> Result<OwnRule, PushRuleError> {
    let conditions = rule.conditions.filter(|_| kind.has_conditions());
    let conditions = conditions.unwrap_or_default();
    if conditions
        .iter()
        .any(|condition| !condition["kind"].is_string())
    {
        return Err(PushRuleError::InvalidCondition);
    }
    let pattern = rule.pattern.filter(|_| kind == RuleKind::Content);
    if kind == RuleKind::Content && pattern.is_none() {
        return Err(PushRuleError::NoPattern);
    }
    let in_conditions = conditions
        .iter()
        .filter_map(|condition| condition["pattern"].as_str());
    let is_long = |pattern: &str| pattern.chars().nth(PATTERN_CHARACTERS_MAX).is_some();
    if in_conditions.chain(pattern.as_deref()).any(is_long) {
        return Err(PushRuleError::LongPattern);
    }
    Ok(OwnRule {
        rule_id: rule_id.to_owned(),
        enabled: true,
        actions: checked_actions(rule.actions)?,
        conditions,
        pattern,
    })
}

pub(super) fn checked_actions(mut actions: Vec<Value>) -> Result<Vec<Value>, PushRuleError> {
    let is_action = |action: &Value| action.is_string() || action["set_tweak"].is_string();
    if !actions.iter().all(is_action) {
        return Err(PushRuleError::InvalidAction);
    }
    actions.retain(|action| !HISTORICAL.iter().any(|name| action == name));
    Ok(actions)
}
