//! Push rules: what a user wants to be notified of.

use ruma::{UserId, push::Ruleset};
use serde_json::{Map, Value, json};

/// The kinds of rules, in the order in which they are tried.
const KINDS: [&str; 5] = ["override", "content", "room", "sender", "underride"];

/// The rules that hold for a user: those that the specification predefines.
pub fn push_rules(user: &UserId) -> Ruleset {
    Ruleset::server_default(user)
}

/// The rules as clients are shown them, under `global`; also the content of the account data
/// `m.push_rules`. Kinds without rules are there, too: some clients insist.
pub fn shown_push_rules(user: &UserId) -> Map<String, Value> {
    // A set of rules is an object; what is none would have no rules to show.
    let rules = serde_json::to_value(push_rules(user)).unwrap_or_default();
    let of_kind = |kind: &str| rules.get(kind).cloned().unwrap_or_else(|| json!([]));
    let kinds = KINDS.map(|kind| (kind.to_owned(), of_kind(kind)));
    Map::from_iter([(
        "global".to_owned(),
        Value::Object(kinds.into_iter().collect()),
    )])
}
