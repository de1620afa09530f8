//! Push rules and an event, both as hostile as can be: they are answered, and what a glob matches is
//! what the plain way to match says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use myelin_core::{
    glob::glob_matches,
    push::{CompiledRules, Facts, NewRule, Permission, Place, PushEvent, PushRules, Reader, RuleKind},
};
use serde_json::json;

fuzz_target!(|input: (&str, &str, &str, u8)| {
    let (pattern, text, rule, joined) = input;
    let mut rules = PushRules::default();
    if let Ok(rule) = serde_json::from_str::<NewRule>(rule) {
        for kind in RuleKind::ALL {
            // Refused or not: what is taken can be asked.
            let _ = rules.put((kind, "any"), rule.clone(), Place::Anywhere);
        }
    }
    let matching = json!({
        "actions": ["notify", {"set_tweak": "highlight"}],
        "conditions": [{"kind": "event_match", "key": "content.topic", "pattern": pattern}],
    });
    let matching: NewRule = serde_json::from_value(matching).expect("it is a rule");
    let id = (RuleKind::Override, "glob");
    let is_taken = rules.put(id, matching, Place::Anywhere).is_ok();
    assert_eq!(
        PushRules::parse(rules.to_json().as_bytes()).expect("what is written can be read"),
        rules
    );
    let event = json!({
        "type": "m.room.message",
        "sender": "@bob:example.org",
        "content": {"topic": text, "body": text},
    });
    let event = PushEvent::new(&event.to_string(), "!room:example.org");
    let permission = Permission::new(50, Some(rule));
    let facts = Facts {
        joined: joined.into(),
        permission: Some(&permission),
        subscribed: (joined % 3 > 0).then_some(joined % 2 == 0),
    };
    let reader = Reader {
        user_id: "@alice:example.org",
        display_name: Some(pattern),
    };
    let compiled = CompiledRules::new(&rules);
    let verdict = compiled.verdict(&event, &facts, Some(&reader));
    let is_small = pattern.len() < 1_000 && text.len() < 10_000;
    if is_taken && is_small && glob_matches(&pattern.to_lowercase(), &text.to_lowercase()) {
        let myelin_core::push::Verdict::Actions(actions) = verdict else {
            panic!("a rule matches");
        };
        assert!(actions.highlight);
    }
    let hostile = PushEvent::new(text, "!room:example.org");
    let _ = compiled.verdict(&hostile, &facts, Some(&reader));
    let _ = compiled.named(&hostile);
});
