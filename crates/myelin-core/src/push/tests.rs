//! Push rules as tables of cases.

mod conditions;
mod editing;
mod patterns;
mod predefined;

use serde_json::{Value, json};

use super::*;

const ME: &str = "@alice:example.org";
const ROOM: &str = "!room:example.org";

/// An event of this type and content by somebody else.
#[expect(
    clippy::needless_pass_by_value,
    reason = "cases read better without references"
)]
fn event(event_type: &str, content: Value) -> PushEvent {
    let event = json!({
        "type": event_type,
        "sender": "@bob:example.org",
        "room_id": ROOM,
        "content": content,
    });
    PushEvent::new(&event.to_string(), ROOM)
}

fn message(body: &str) -> PushEvent {
    event("m.room.message", json!({"msgtype": "m.text", "body": body}))
}

fn facts(joined: u64) -> Facts<'static> {
    Facts {
        joined,
        permission: None,
        subscribed: None,
    }
}

fn me() -> Reader<'static> {
    Reader {
        user_id: ME,
        display_name: Some("Alice (away)"),
    }
}

fn new_rule(rule: Value) -> NewRule {
    serde_json::from_value(rule).unwrap()
}

/// Rules of which one alone can match: an override rule with these conditions, which highlights.
#[expect(
    clippy::needless_pass_by_value,
    reason = "cases read better without references"
)]
fn only(conditions: Value) -> CompiledRules {
    let mut rules = PushRules::default();
    let rule = json!({
        "actions": ["notify", {"set_tweak": "highlight"}],
        "conditions": conditions,
    });
    rules
        .put(
            (RuleKind::Override, "only"),
            new_rule(rule),
            Place::Anywhere,
        )
        .unwrap();
    CompiledRules::new(&rules)
}

/// Whether the rule that highlights matches.
fn highlights(rules: &CompiledRules, event: &PushEvent, facts: &Facts<'_>) -> bool {
    match rules.verdict(event, facts, Some(&me())) {
        Verdict::Actions(actions) => actions.highlight,
        Verdict::Nothing => false,
        Verdict::NeedsPermission => panic!("no permission was handed in"),
    }
}

/// The actions for me.
fn actions(rules: &CompiledRules, event: &PushEvent, facts: &Facts<'_>) -> Value {
    match rules.verdict(event, facts, Some(&me())) {
        Verdict::Actions(actions) => serde_json::from_str(&actions.json).unwrap(),
        Verdict::Nothing => Value::Null,
        Verdict::NeedsPermission => json!("needs permission"),
    }
}
