//! Push rules: what a user wants to be notified of, and whether an event is of that kind (spec: "Push
//! Rules").
//!
//! [`PushRules`] is what a user has changed: the predefined rules stand here once, for everybody.
//! [`CompiledRules`] is both together, ready to be asked about events; for a set of rules that many
//! users have in common it is asked once about an event, and then again only for those whom the
//! event names. Whatever the patterns are, an answer costs a bounded number of steps.

mod compiled;
mod condition;
mod event;
mod kind;
mod pattern;
mod permission;
mod predefined;
mod reader;
mod rules;

pub use compiled::{Actions, CompiledRules, Verdict};
pub use event::{PushEvent, parse_path};
pub use kind::RuleKind;
pub use pattern::Pattern;
pub use permission::Permission;
pub use predefined::UNSUBSCRIBED_THREAD;
pub use reader::{Facts, Reader};
pub use rules::{NewRule, Place, PushRuleError, PushRules, RULES_MAX};

#[cfg(test)]
mod tests;
