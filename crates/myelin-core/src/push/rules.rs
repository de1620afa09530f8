//! What a user has changed of the predefined rules, and the user's own.

mod checked;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use self::checked::{check_id, checked, checked_actions};
use super::{
    kind::RuleKind,
    predefined::{self, MASTER, Predefined},
};

/// Most rules of a user's own.
pub const RULES_MAX: usize = 1_000;
/// Most bytes of all that a user has changed, as it is stored.
const BYTES_MAX: usize = 128 * 1024;
const RULE_ID_BYTES_MAX: usize = 1_024;
const PATTERN_CHARACTERS_MAX: usize = 1_024;

/// What a user's rules differ in from the predefined ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PushRules {
    /// The user's own, the most important of a kind first.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    own: BTreeMap<RuleKind, Vec<OwnRule>>,
    /// What was changed of the predefined ones, by their ids.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    changed: BTreeMap<String, Changed>,
}

/// A rule of a user's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct OwnRule {
    pub(super) rule_id: String,
    pub(super) enabled: bool,
    pub(super) actions: Vec<Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) conditions: Vec<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pattern: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Changed {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actions: Option<Vec<Value>>,
}

/// A rule as a client describes it.
#[derive(Clone, Debug, Deserialize)]
pub struct NewRule {
    actions: Vec<Value>,
    #[serde(default)]
    conditions: Option<Vec<Value>>,
    #[serde(default)]
    pattern: Option<String>,
}

/// Where among the user's own rules of its kind a rule goes.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// Where it is, or before all others.
    Anywhere,
    /// Just before this rule.
    Before(&'a str),
    /// Just after this rule.
    After(&'a str),
}

/// Why rules were not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PushRuleError {
    /// There is no such rule.
    #[error("the push rule was not found")]
    NotFound,
    /// A predefined rule can be disabled, but not be replaced or deleted.
    #[error("the rule {0} is predefined")]
    Predefined(String),
    /// All rules of this kind are predefined.
    #[error("there are no rules of a user's own of the kind `{}`", .0.as_str())]
    NoOwnRules(RuleKind),
    /// The id is not one that a user's own rule may have.
    #[error(
        "a rule id has 1 to {RULE_ID_BYTES_MAX} bytes, does not begin with a dot, and has no slash or backslash"
    )]
    InvalidId,
    /// The rule that the new one was to stand beside is not there.
    #[error("before/after rule not found: {0}")]
    NoSuchNeighbour(String),
    /// An action is neither a string nor an object that sets a tweak.
    #[error("an action is a string, or an object with `set_tweak`")]
    InvalidAction,
    /// A condition has no kind.
    #[error("a condition is an object with a `kind`")]
    InvalidCondition,
    /// A rule for content has no pattern.
    #[error("a rule for content needs a `pattern`")]
    NoPattern,
    /// The pattern is too long to be matched.
    #[error("a pattern has at most {PATTERN_CHARACTERS_MAX} characters")]
    LongPattern,
    /// The user has too many or too large rules.
    #[error("a user has at most {RULES_MAX} rules, and {BYTES_MAX} bytes of them")]
    TooMuch,
}

impl PushRules {
    /// Reads what [`Self::to_json`] has written.
    pub fn parse(json: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(json)
    }

    /// What is stored: the differences alone.
    pub fn to_json(&self) -> String {
        // Maps with strings for keys always can be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The user's own rules of a kind.
    pub(super) fn own(&self, kind: RuleKind) -> &[OwnRule] {
        self.own.get(&kind).map_or(&[], Vec::as_slice)
    }

    pub(super) fn is_enabled(&self, rule: &Predefined) -> bool {
        let changed = self.changed.get(&rule.rule_id);
        changed
            .and_then(|changed| changed.enabled)
            .unwrap_or(rule.enabled)
    }

    pub(super) fn actions_of<'a>(&'a self, rule: &'a Predefined) -> &'a [Value] {
        let changed = self.changed.get(&rule.rule_id);
        changed
            .and_then(|changed| changed.actions.as_deref())
            .unwrap_or(&rule.actions)
    }

    /// All rules as the user is shown them: what stands under `global`. Kinds without rules are
    /// there, too: some clients insist.
    pub fn shown(&self, user_id: &str) -> Value {
        let kinds = RuleKind::ALL.map(|kind| {
            let rules = self.shown_of_kind(kind, user_id);
            (kind.as_str().to_owned(), Value::Array(rules))
        });
        Value::Object(Map::from_iter(kinds))
    }

    /// One rule as the user is shown it.
    pub fn find(&self, kind: RuleKind, rule_id: &str, user_id: &str) -> Option<Value> {
        let own = self.own(kind).iter().find(|rule| rule.rule_id == rule_id);
        own.map(|rule| shown_own(kind, rule)).or_else(|| {
            let rule = predefined::find(kind, rule_id)?;
            Some(self.shown_predefined(rule, user_id))
        })
    }

    fn shown_of_kind(&self, kind: RuleKind, user_id: &str) -> Vec<Value> {
        let (first, last): (Vec<_>, Vec<_>) = predefined::all()
            .iter()
            .filter(|rule| rule.kind == kind)
            .partition(|rule| rule.rule_id == MASTER);
        let predefined = |rule: &&Predefined| self.shown_predefined(rule, user_id);
        let first = first.iter().map(predefined);
        let own = self.own(kind).iter().map(|rule| shown_own(kind, rule));
        first
            .chain(own)
            .chain(last.iter().map(predefined))
            .collect()
    }

    fn shown_predefined(&self, rule: &Predefined, user_id: &str) -> Value {
        json!({
            "rule_id": rule.rule_id,
            "default": true,
            "enabled": self.is_enabled(rule),
            "conditions": rule.shown_conditions(user_id),
            "actions": self.actions_of(rule),
        })
    }

    /// Adds a rule, or replaces the user's own one of this id, which stays enabled or disabled.
    pub fn put(
        &mut self,
        (kind, rule_id): (RuleKind, &str),
        rule: NewRule,
        place: Place<'_>,
    ) -> Result<(), PushRuleError> {
        check_id(kind, rule_id)?;
        let rule = checked(kind, rule_id, rule)?;
        self.place(kind, rule, place)?;
        self.check_size()
    }

    fn place(
        &mut self,
        kind: RuleKind,
        mut rule: OwnRule,
        place: Place<'_>,
    ) -> Result<(), PushRuleError> {
        let rules = self.own.entry(kind).or_default();
        let before = rules.iter().position(|other| other.rule_id == rule.rule_id);
        if let Some(before) = before {
            rule.enabled = rules.remove(before).enabled;
        }
        let beside = |rules: &[OwnRule], neighbour: &str| {
            let found = rules.iter().position(|other| other.rule_id == neighbour);
            found.ok_or_else(|| PushRuleError::NoSuchNeighbour(neighbour.to_owned()))
        };
        let at = match place {
            Place::Anywhere => before.unwrap_or_default(),
            Place::Before(neighbour) => beside(rules, neighbour)?,
            Place::After(neighbour) => beside(rules, neighbour)? + 1,
        };
        rules.insert(at, rule);
        Ok(())
    }

    /// Deletes a rule of the user's own.
    pub fn delete(&mut self, kind: RuleKind, rule_id: &str) -> Result<(), PushRuleError> {
        if predefined::find(kind, rule_id).is_some() {
            return Err(PushRuleError::Predefined(rule_id.to_owned()));
        }
        let rules = self.own.get_mut(&kind).ok_or(PushRuleError::NotFound)?;
        let at = rules.iter().position(|rule| rule.rule_id == rule_id);
        rules.remove(at.ok_or(PushRuleError::NotFound)?);
        if rules.is_empty() {
            self.own.remove(&kind);
        }
        Ok(())
    }

    /// Enables or disables a rule.
    pub fn set_enabled(
        &mut self,
        (kind, rule_id): (RuleKind, &str),
        enabled: bool,
    ) -> Result<(), PushRuleError> {
        if let Some(rule) = self.own_mut(kind, rule_id) {
            rule.enabled = enabled;
            return Ok(());
        }
        let rule = predefined::find(kind, rule_id).ok_or(PushRuleError::NotFound)?;
        self.change(rule, |changed| {
            changed.enabled = (enabled != rule.enabled).then_some(enabled);
        });
        Ok(())
    }

    /// Sets what a rule does.
    pub fn set_actions(
        &mut self,
        (kind, rule_id): (RuleKind, &str),
        actions: Vec<Value>,
    ) -> Result<(), PushRuleError> {
        let actions = checked_actions(actions)?;
        if let Some(rule) = self.own_mut(kind, rule_id) {
            rule.actions = actions;
        } else {
            let rule = predefined::find(kind, rule_id).ok_or(PushRuleError::NotFound)?;
            self.change(rule, |changed| {
                changed.actions = (actions != rule.actions).then_some(actions);
            });
        }
        self.check_size()
    }

    /// Gives a room the rules that another has, unless it has its own already. True: there were
    /// such.
    pub fn copy_room(&mut self, old: &str, new: &str) -> bool {
        let mut copied = false;
        for kind in [RuleKind::Override, RuleKind::Room] {
            let Some(rules) = self.own.get_mut(&kind) else {
                continue;
            };
            if rules.iter().any(|rule| rule.is_about(new)) {
                continue;
            }
            let with_copies: Vec<OwnRule> = rules
                .iter()
                .flat_map(|rule| {
                    let copy = rule.is_about(old).then(|| rule.for_room(old, new));
                    let copy = copy.filter(|copy| is_new(rules, copy));
                    copy.into_iter().chain([rule.clone()])
                })
                .collect();
            copied |= with_copies.len() > rules.len();
            *rules = with_copies;
        }
        copied && self.check_size().is_ok()
    }

    fn own_mut(&mut self, kind: RuleKind, rule_id: &str) -> Option<&mut OwnRule> {
        let mut rules = self.own.get_mut(&kind)?.iter_mut();
        rules.find(|rule| rule.rule_id == rule_id)
    }

    fn change(&mut self, rule: &Predefined, change: impl FnOnce(&mut Changed)) {
        let changed = self.changed.entry(rule.rule_id.clone()).or_default();
        change(changed);
        if *changed == Changed::default() {
            self.changed.remove(&rule.rule_id);
        }
    }

    fn check_size(&self) -> Result<(), PushRuleError> {
        let count: usize = self.own.values().map(Vec::len).sum();
        if count > RULES_MAX || self.to_json().len() > BYTES_MAX {
            return Err(PushRuleError::TooMuch);
        }
        Ok(())
    }
}

impl OwnRule {
    /// Whether the rule is for one room alone: by its id, or by a condition, as clients silence a
    /// room.
    fn is_about(&self, room_id: &str) -> bool {
        self.rule_id == room_id
            || self
                .conditions
                .iter()
                .any(|condition| is_of(condition, room_id))
    }

    fn for_room(&self, old: &str, new: &str) -> Self {
        let mut copy = self.clone();
        copy.rule_id = self.rule_id.replace(old, new);
        if copy.rule_id == self.rule_id {
            copy.rule_id = format!("{} {new}", self.rule_id);
        }
        for condition in &mut copy.conditions {
            if is_of(condition, old) {
                condition["pattern"] = new.into();
            }
        }
        copy
    }
}

fn is_of(condition: &Value, room_id: &str) -> bool {
    condition["kind"] == "event_match"
        && condition["key"] == "room_id"
        && condition["pattern"] == room_id
}

fn shown_own(kind: RuleKind, rule: &OwnRule) -> Value {
    let mut shown = json!({
        "rule_id": rule.rule_id,
        "default": false,
        "enabled": rule.enabled,
        "actions": rule.actions,
    });
    if kind.has_conditions() {
        shown["conditions"] = rule.conditions.clone().into();
    }
    if let Some(pattern) = &rule.pattern {
        shown["pattern"] = pattern.as_str().into();
    }
    shown
}

fn is_new(rules: &[OwnRule], copy: &OwnRule) -> bool {
    rules.iter().all(|other| other.rule_id != copy.rule_id)
}
