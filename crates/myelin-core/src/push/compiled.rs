//! A set of rules, ready to be asked about events.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::Value;

use super::{
    condition::{Condition, Holds},
    event::{PushEvent, parse_path},
    kind::RuleKind,
    pattern::{Pattern, Steps},
    predefined::{self, MASTER, Predefined},
    reader::{Facts, Reader},
    rules::{OwnRule, PushRules},
};

/// What the patterns of one set may cost for one event. What is too much for it does not match.
const STEPS_MAX: usize = 1 << 20;

/// What is to be done about an event that a rule matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actions {
    /// The actions, a list in JSON.
    pub json: String,
    /// Whether the user is to be notified.
    pub notify: bool,
    /// Whether the user is notified, and the event is to stand out.
    pub highlight: bool,
}

/// What a set of rules says of an event.
#[derive(Clone, Debug)]
pub enum Verdict<'a> {
    /// No rule matches.
    Nothing,
    /// The first rule that matches says this.
    Actions(&'a Arc<Actions>),
    /// It has to be asked again, with what the sender of the event may do.
    NeedsPermission,
}

/// A set of rules, ready to be asked.
#[derive(Clone, Debug)]
pub struct CompiledRules {
    /// Those that are enabled, in the order in which they are tried.
    rules: Vec<CompiledRule>,
    reads_display_name: bool,
}

#[derive(Clone, Debug)]
struct CompiledRule {
    conditions: Vec<Condition>,
    actions: Arc<Actions>,
}

impl CompiledRules {
    /// The predefined rules with what a user has changed.
    pub fn new(rules: &PushRules) -> Self {
        let mut compiled = Vec::new();
        for kind in RuleKind::ALL {
            let (first, last): (Vec<_>, Vec<_>) = predefined::all()
                .iter()
                .filter(|rule| rule.kind == kind)
                .partition(|rule| rule.rule_id == MASTER);
            let predefined = |rule: &&'static Predefined| of_predefined(rules, rule);
            compiled.extend(first.iter().filter_map(predefined));
            let own = rules.own(kind).iter().filter(|rule| rule.enabled);
            compiled.extend(own.map(|rule| of_own(kind, rule)));
            compiled.extend(last.iter().filter_map(predefined));
        }
        let mut conditions = compiled.iter().flat_map(|rule| &rule.conditions);
        let reads_display_name =
            conditions.any(|condition| matches!(condition, Condition::DisplayName));
        Self {
            rules: compiled,
            reads_display_name,
        }
    }

    /// Whether a rule asks for display names: then each reader has to be asked for.
    pub fn reads_display_name(&self) -> bool {
        self.reads_display_name
    }

    /// The users whom an event names where a rule looks. For all others who have these rules the
    /// answer is the same, unless a rule asks for display names.
    pub fn named<'a>(&self, event: &'a PushEvent) -> BTreeSet<&'a str> {
        let mut named = BTreeSet::new();
        for condition in self.rules.iter().flat_map(|rule| &rule.conditions) {
            condition.named(event, &mut named);
        }
        named
    }

    /// What is to be done about an event for a reader, or, with None, for somebody whom it does not
    /// name.
    pub fn verdict(
        &self,
        event: &PushEvent,
        facts: &Facts<'_>,
        reader: Option<&Reader<'_>>,
    ) -> Verdict<'_> {
        let mut steps = Steps::new(STEPS_MAX);
        for rule in &self.rules {
            let holds = rule.holds(event, facts, reader, &mut steps);
            match holds {
                Holds::Yes => return Verdict::Actions(&rule.actions),
                Holds::No => {}
                Holds::NeedsPermission => return Verdict::NeedsPermission,
            }
        }
        Verdict::Nothing
    }
}

impl CompiledRule {
    /// Whether all conditions hold.
    fn holds(
        &self,
        event: &PushEvent,
        facts: &Facts<'_>,
        reader: Option<&Reader<'_>>,
        steps: &mut Steps,
    ) -> Holds {
        let mut holds = self
            .conditions
            .iter()
            .map(|condition| condition.holds(event, facts, reader, steps));
        holds
            .find(|holds| *holds != Holds::Yes)
            .unwrap_or(Holds::Yes)
    }
}

fn of_predefined(rules: &PushRules, rule: &Predefined) -> Option<CompiledRule> {
    rules.is_enabled(rule).then(|| CompiledRule {
        conditions: rule.conditions.iter().map(Condition::of).collect(),
        actions: actions(rules.actions_of(rule)),
    })
}

fn of_own(kind: RuleKind, rule: &OwnRule) -> CompiledRule {
    let conditions = match kind {
        RuleKind::Override | RuleKind::PostContent | RuleKind::Underride => {
            rule.conditions.iter().map(Condition::of).collect()
        }
        RuleKind::Content => {
            let pattern = rule.pattern.as_deref().map(Pattern::glob);
            vec![pattern.map_or(Condition::Never, Condition::Body)]
        }
        RuleKind::Room => vec![Condition::Room(rule.rule_id.clone())],
        RuleKind::Sender => vec![Condition::is_text(parse_path("sender"), &rule.rule_id)],
    };
    CompiledRule {
        conditions,
        actions: actions(&rule.actions),
    }
}

fn actions(actions: &[Value]) -> Arc<Actions> {
    let notify = actions.iter().any(|action| action == "notify");
    let is_highlight = |action: &Value| {
        action
            .get("set_tweak")
            .is_some_and(|name| name == "highlight")
            && action.get("value").is_none_or(|value| *value == true)
    };
    Arc::new(Actions {
        json: Value::from(actions).to_string(),
        notify,
        highlight: notify && actions.iter().any(is_highlight),
    })
}
