//! Conditions, one by one.

use super::*;

#[test]
fn conditions_hold_for_what_they_say() {
    let topic = event(
        "m.room.topic",
        json!({
            "topic": "Lunch plans",
            "m.federate": true,
            "number": 3,
            "nothing": null,
            "list": ["a", 1, false, null, {"x": 1}],
            "deep": {"er": {"text": "x.y\\z"}},
            "a.b": {"c\\d": "dotted"},
            "x\\": 1,
        }),
    );
    let matches =
        |key: &str, pattern: &str| json!({"kind": "event_match", "key": key, "pattern": pattern});
    let is =
        |key: &str, value: Value| json!({"kind": "event_property_is", "key": key, "value": value});
    let contains = |key: &str, value: Value| json!({"kind": "event_property_contains", "key": key, "value": value});
    for (condition, wanted) in [
        (matches("content.topic", "lunc?*"), true),
        (matches("content.topic", "plans"), false),
        (matches("content.nothing", "*"), false),
        (matches("content.number", "3"), false),
        (matches("content.missing", "*"), false),
        (matches("content.topic.deeper", "*"), false),
        (matches("room_id", ROOM), true),
        (matches("room_id", "!other:example.org"), false),
        (matches("content.deep.er.text", "x.y\\z"), true),
        (matches("content.a\\.b.c\\\\d", "dotted"), true),
        (matches("content.a.b.c", "dotted"), false),
        (is("content.m\\.federate", json!(true)), true),
        (is("content.m\\.federate", json!("true")), false),
        (is("content.m\\.federate", json!(1)), false),
        (is("content.number", json!(3)), true),
        (is("content.number", json!(3.0)), false),
        (is("content.nothing", json!(null)), true),
        (is("content.missing", json!(null)), false),
        (is("content.topic", json!("lunch plans")), false),
        (is("content.list", json!(["a"])), false),
        (is("content.x\\\\", json!(1)), true),
        (contains("content.list", json!("a")), true),
        (contains("content.list", json!(1)), true),
        (contains("content.list", json!(false)), true),
        (contains("content.list", json!(null)), true),
        (contains("content.list", json!({"x": 1})), false),
        (contains("content.list", json!("b")), false),
        (contains("content.topic", json!("Lunch plans")), false),
        (json!({"kind": "room_member_count", "is": "3"}), true),
        (json!({"kind": "room_member_count", "is": "==3"}), true),
        (json!({"kind": "room_member_count", "is": "<3"}), false),
        (json!({"kind": "room_member_count", "is": "<=3"}), true),
        (json!({"kind": "room_member_count", "is": ">2"}), true),
        (json!({"kind": "room_member_count", "is": ">=4"}), false),
        (json!({"kind": "room_member_count", "is": "+3"}), false),
        (json!({"kind": "room_member_count", "is": "=3"}), false),
        (json!({"kind": "room_member_count", "is": 3}), false),
        (json!({"kind": "room_member_count"}), false),
        (json!({"kind": "org.example.unknown"}), false),
        (
            json!({"kind": "event_match", "key": "content.topic"}),
            false,
        ),
    ] {
        let rules = only(json!([condition]));
        assert_eq!(highlights(&rules, &topic, &facts(3)), wanted, "{condition}");
    }
}

#[test]
fn all_conditions_have_to_hold() {
    let yes = json!({"kind": "room_member_count", "is": ">0"});
    let no = json!({"kind": "room_member_count", "is": "0"});
    for (conditions, wanted) in [
        (json!([]), true),
        (json!([yes]), true),
        (json!([yes, no]), false),
        (json!([no, yes]), false),
    ] {
        let found = highlights(&only(conditions.clone()), &message("x"), &facts(3));
        assert_eq!(found, wanted, "{conditions}");
    }
}

#[test]
fn a_display_name_stands_in_the_body() {
    let rules = only(json!([{"kind": "contains_display_name"}]));
    assert!(rules.reads_display_name());
    for (body, wanted) in [
        ("hello Alice (away), are you", true),
        ("alice (AWAY)", true),
        ("alice", false),
        ("xAlice (away)", false),
    ] {
        assert_eq!(
            highlights(&rules, &message(body), &facts(3)),
            wanted,
            "{body}"
        );
    }
    for display_name in [None, Some("")] {
        let reader = Reader {
            user_id: ME,
            display_name,
        };
        let verdict = rules.verdict(&message("Alice"), &facts(3), Some(&reader));
        assert!(matches!(verdict, Verdict::Actions(actions) if !actions.highlight));
    }
}

#[test]
fn who_may_notify_is_asked_for_when_it_matters() {
    let rules = CompiledRules::new(&PushRules::default());
    let plain = message("hello");
    assert_eq!(actions(&rules, &plain, &facts(3)), json!(["notify"]));
    let everybody = event(
        "m.room.message",
        json!({"body": "x", "m.mentions": {"room": true}}),
    );
    assert_eq!(
        actions(&rules, &everybody, &facts(3)),
        json!("needs permission")
    );
    for (level, levels, wanted) in [
        (50, None, true),
        (49, None, false),
        (49, Some(r#"{"notifications": {"room": 20}}"#), true),
        (49, Some(r#"{"notifications": {"room": "50"}}"#), false),
        (50, Some(r#"{"notifications": {"room": "50"}}"#), true),
        (50, Some(r#"{"notifications": "x"}"#), true),
        (99, Some(r#"{"notifications": {"room": 100}}"#), false),
        (99, Some(r#"{"notifications": {"other": 100}}"#), true),
    ] {
        let permission = Permission::new(level, levels);
        let facts = Facts {
            joined: 3,
            permission: Some(&permission),
            subscribed: None,
        };
        assert_eq!(
            highlights(&rules, &everybody, &facts),
            wanted,
            "{level} {levels:?}"
        );
    }
}

#[test]
fn subscriptions_count_for_events_in_threads_alone() {
    let kind = "io.element.msc4306.thread_subscription";
    for (condition, holds) in [
        (
            json!({"kind": kind, "subscribed": true}),
            [false, false, true],
        ),
        (
            json!({"kind": kind, "subscribed": false}),
            [false, true, false],
        ),
        (json!({"kind": kind, "subscribed": 1}), [false; 3]),
        (json!({"kind": kind}), [false; 3]),
    ] {
        let rules = only(json!([condition]));
        let subscribed = [None, Some(false), Some(true)];
        let found = subscribed.map(|subscribed| {
            let facts = Facts {
                subscribed,
                ..facts(3)
            };
            highlights(&rules, &message("x"), &facts)
        });
        assert_eq!(found, holds, "{condition}");
    }
}

#[test]
fn rules_for_content_rooms_and_senders_have_their_condition() {
    for (kind, id, rule, wanted) in [
        (RuleKind::Content, "c", json!({"pattern": "cake"}), true),
        (RuleKind::Content, "c", json!({"pattern": "cak"}), false),
        (RuleKind::Room, ROOM, json!({}), true),
        (RuleKind::Room, "!other:example.org", json!({}), false),
        (RuleKind::Sender, "@bob:example.org", json!({}), true),
        (RuleKind::Sender, "@BOB:example.org", json!({}), false),
    ] {
        let mut new = rule.clone();
        new["actions"] = json!(["notify", {"set_tweak": "highlight", "value": true}]);
        let mut rules = PushRules::default();
        rules
            .put((kind, id), new_rule(new), Place::Anywhere)
            .unwrap();
        let rules = CompiledRules::new(&rules);
        let found = highlights(&rules, &message("a piece of cake"), &facts(3));
        assert_eq!(found, wanted, "{kind:?} {id} {rule}");
    }
}

#[test]
fn nonsense_is_no_event_and_matches_little() {
    let rules = only(json!([{"kind": "event_match", "key": "type", "pattern": "*"}]));
    for json in ["", "[]", "null", "{}", r#"{"type": 1}"#] {
        let event = PushEvent::new(json, ROOM);
        assert!(!highlights(&rules, &event, &facts(3)), "{json}");
    }
}
