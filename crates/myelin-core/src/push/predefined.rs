//! The predefined rules of Matrix v1.19 (spec: "Predefined Rules"), in their order, and those about
//! subscriptions to threads (MSC4306).

use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Value, json};

use super::kind::RuleKind;

/// What stands in `predefined.json` for the id of the user whose rules they are, as it does in the
/// specification.
pub(super) const ME: &str = "[the user's Matrix ID]";
/// The one that silences threads to which the user has not subscribed. It is off until the user
/// subscribes to a thread for the first time: who has a client that cannot do so is notified of threads
/// as the specification says.
pub const UNSUBSCRIBED_THREAD: &str = ".io.element.msc4306.rule.unsubscribed_thread";
/// The one that comes before the user's own.
pub(super) const MASTER: &str = ".m.rule.master";

static PREDEFINED: LazyLock<Vec<Predefined>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("predefined.json")).expect("a test has read the same text")
});

/// A predefined rule.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Predefined {
    pub(super) kind: RuleKind,
    pub(super) rule_id: String,
    pub(super) enabled: bool,
    pub(super) conditions: Vec<Value>,
    pub(super) actions: Vec<Value>,
}

impl Predefined {
    /// The conditions as the user is shown them.
    pub(super) fn shown_conditions(&self, user_id: &str) -> Value {
        let mut conditions = self.conditions.clone();
        let values = conditions
            .iter_mut()
            .filter_map(Value::as_object_mut)
            .flat_map(|condition| condition.values_mut());
        for value in values {
            if value == ME {
                *value = json!(user_id);
            }
        }
        Value::Array(conditions)
    }
}

/// All of them.
pub(super) fn all() -> &'static [Predefined] {
    &PREDEFINED
}

/// One of them.
pub(super) fn find(kind: RuleKind, rule_id: &str) -> Option<&'static Predefined> {
    all()
        .iter()
        .find(|rule| rule.kind == kind && rule.rule_id == rule_id)
}
