//! How rules are put, changed and deleted.

use super::*;

const OVERRIDE: RuleKind = RuleKind::Override;

fn put(rules: &mut PushRules, id: &str, place: Place<'_>) -> Result<(), PushRuleError> {
    rules.put(
        (OVERRIDE, id),
        new_rule(json!({"actions": ["notify"]})),
        place,
    )
}

/// The ids of the user's own override rules.
fn own(rules: &PushRules) -> Vec<String> {
    let shown = rules.shown(ME);
    let shown = shown["override"].as_array().unwrap().iter();
    let shown = shown.filter(|rule| rule["default"] == false);
    shown
        .map(|rule| rule["rule_id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn rules_stand_where_they_are_put() {
    let mut rules = PushRules::default();
    put(&mut rules, "a", Place::Anywhere).unwrap();
    put(&mut rules, "b", Place::Anywhere).unwrap();
    assert_eq!(own(&rules), ["b", "a"]);
    put(&mut rules, "c", Place::Before("a")).unwrap();
    put(&mut rules, "d", Place::After("a")).unwrap();
    assert_eq!(own(&rules), ["b", "c", "a", "d"]);
    // Changed where it is, unless it is to go elsewhere.
    put(&mut rules, "c", Place::Anywhere).unwrap();
    assert_eq!(own(&rules), ["b", "c", "a", "d"]);
    put(&mut rules, "d", Place::Before("b")).unwrap();
    put(&mut rules, "c", Place::After("a")).unwrap();
    assert_eq!(own(&rules), ["d", "b", "a", "c"]);
    let shown = rules.shown(ME);
    assert_eq!(shown["override"][0]["rule_id"], ".m.rule.master");
    rules.delete(OVERRIDE, "b").unwrap();
    assert_eq!(own(&rules), ["d", "a", "c"]);
    assert_eq!(rules.delete(OVERRIDE, "b"), Err(PushRuleError::NotFound));
}

#[test]
fn a_rule_goes_beside_a_rule_of_the_user_alone() {
    let mut rules = PushRules::default();
    put(&mut rules, "a", Place::Anywhere).unwrap();
    for neighbour in ["x", ".m.rule.master", "b"] {
        for place in [Place::Before(neighbour), Place::After(neighbour)] {
            let refused = Err(PushRuleError::NoSuchNeighbour(neighbour.to_owned()));
            assert_eq!(put(&mut rules.clone(), "b", place), refused);
        }
    }
}

/// What is refused of a rule, whatever its id.
fn refused_rules(long: &str) -> Vec<(RuleKind, Value, PushRuleError)> {
    let with_condition = |condition: Value| json!({"actions": [], "conditions": [condition]});
    let long_pattern = json!({"kind": "event_match", "key": "type", "pattern": long});
    vec![
        (
            OVERRIDE,
            json!({"actions": [1]}),
            PushRuleError::InvalidAction,
        ),
        (
            OVERRIDE,
            json!({"actions": [{"x": 1}]}),
            PushRuleError::InvalidAction,
        ),
        (
            OVERRIDE,
            with_condition(json!({})),
            PushRuleError::InvalidCondition,
        ),
        (
            OVERRIDE,
            with_condition(long_pattern),
            PushRuleError::LongPattern,
        ),
        (
            RuleKind::Content,
            json!({"actions": []}),
            PushRuleError::NoPattern,
        ),
        (
            RuleKind::Content,
            json!({"actions": [], "pattern": long}),
            PushRuleError::LongPattern,
        ),
        (
            OVERRIDE,
            json!({"actions": ["x".repeat(200_000)]}),
            PushRuleError::TooMuch,
        ),
    ]
}

#[test]
fn what_is_no_rule_is_refused() {
    for (kind, rule, wanted) in refused_rules(&"a".repeat(1_025)) {
        let mut rules = PushRules::default();
        let refused = rules.put((kind, "a"), new_rule(rule), Place::Anywhere);
        assert_eq!(refused, Err(wanted), "{kind:?}");
    }
}

#[test]
fn ids_have_a_form() {
    for id in [".mine", "a/b", "a\\b", "", &"a".repeat(1_025)] {
        let refused = put(&mut PushRules::default(), id, Place::Anywhere);
        assert_eq!(refused, Err(PushRuleError::InvalidId), "{id}");
    }
    let master = ".m.rule.master";
    let refused = put(&mut PushRules::default(), master, Place::Anywhere);
    assert_eq!(refused, Err(PushRuleError::Predefined(master.to_owned())));
}

#[test]
fn a_user_has_a_thousand_rules_at_most() {
    let of_room = |number: usize| {
        let id = format!("!{number}:x");
        json!({"rule_id": id, "enabled": true, "actions": []})
    };
    let own: Vec<Value> = (0..RULES_MAX - 1).map(of_room).collect();
    let stored = json!({"own": {"room": own}}).to_string();
    let mut rules = PushRules::parse(stored.as_bytes()).unwrap();
    put(&mut rules, "a", Place::Anywhere).unwrap();
    assert_eq!(
        put(&mut rules, "b", Place::Anywhere),
        Err(PushRuleError::TooMuch)
    );
}

#[test]
fn predefined_rules_are_changed_and_changed_back() {
    let mut rules = PushRules::default();
    let master = (OVERRIDE, ".m.rule.master");
    rules.set_enabled(master, true).unwrap();
    assert_eq!(rules.find(OVERRIDE, master.1, ME).unwrap()["enabled"], true);
    rules.set_actions(master, vec![json!("notify")]).unwrap();
    assert_eq!(
        rules.to_json(),
        r#"{"changed":{".m.rule.master":{"enabled":true,"actions":["notify"]}}}"#
    );
    assert_eq!(PushRules::parse(rules.to_json().as_bytes()).unwrap(), rules);
    rules
        .set_actions(master, vec![json!("dont_notify")])
        .unwrap();
    rules.set_enabled(master, false).unwrap();
    assert_eq!(rules, PushRules::default());
    assert_eq!(rules.to_json(), "{}");
    let refused = rules.delete(master.0, master.1);
    assert_eq!(refused, Err(PushRuleError::Predefined(master.1.to_owned())));
    for unknown in [(RuleKind::Room, ".m.rule.master"), (OVERRIDE, "x")] {
        assert_eq!(
            rules.set_enabled(unknown, true),
            Err(PushRuleError::NotFound)
        );
        assert_eq!(
            rules.set_actions(unknown, Vec::new()),
            Err(PushRuleError::NotFound)
        );
        assert_eq!(rules.find(unknown.0, unknown.1, ME), None);
    }
}

#[test]
fn what_is_disabled_or_overridden_says_nothing() {
    let mut rules = PushRules::default();
    rules
        .set_enabled((OVERRIDE, ".m.rule.master"), true)
        .unwrap();
    let compiled = CompiledRules::new(&rules);
    assert_eq!(actions(&compiled, &message("x"), &facts(2)), json!([]));
    rules
        .set_enabled((OVERRIDE, ".m.rule.master"), false)
        .unwrap();
    put(&mut rules, "all", Place::Anywhere).unwrap();
    let notice = event("m.room.message", json!({"msgtype": "m.notice"}));
    let compiled = CompiledRules::new(&rules);
    assert_eq!(actions(&compiled, &notice, &facts(2)), json!(["notify"]));
    // An updated rule stays as enabled as it was.
    rules.set_enabled((OVERRIDE, "all"), false).unwrap();
    put(&mut rules, "all", Place::Anywhere).unwrap();
    let compiled = CompiledRules::new(&rules);
    assert_eq!(actions(&compiled, &notice, &facts(2)), json!([]));
}

#[test]
fn the_rules_of_a_room_go_over_to_the_room_that_replaces_it() {
    let new = "!new:example.org";
    let mut rules = PushRules::default();
    let silent = json!({"actions": []});
    rules
        .put(
            (RuleKind::Room, ROOM),
            new_rule(silent.clone()),
            Place::Anywhere,
        )
        .unwrap();
    let muted = json!({
        "actions": [],
        "conditions": [{"kind": "event_match", "key": "room_id", "pattern": ROOM}],
    });
    rules
        .put((OVERRIDE, ROOM), new_rule(muted), Place::Anywhere)
        .unwrap();
    put(&mut rules, "other", Place::Anywhere).unwrap();
    rules.set_enabled((RuleKind::Room, ROOM), false).unwrap();
    assert!(rules.copy_room(ROOM, new));
    let copy = rules.find(RuleKind::Room, new, ME).unwrap();
    assert_eq!(
        (&copy["actions"], &copy["enabled"]),
        (&json!([]), &json!(false))
    );
    let copy = rules.find(OVERRIDE, new, ME).unwrap();
    assert_eq!(copy["conditions"][0]["pattern"], new);
    assert_eq!(own(&rules), ["other", new, ROOM]);
    // Once is enough.
    assert!(!rules.clone().copy_room(ROOM, new));
    assert!(!rules.copy_room("!unknown:example.org", "!x:example.org"));
}

#[test]
fn rules_after_those_for_content_are_switched_but_not_made() {
    let mut rules = PushRules::default();
    let kind = RuleKind::PostContent;
    for id in ["a", UNSUBSCRIBED_THREAD] {
        let rule = new_rule(json!({"actions": ["notify"]}));
        let refused = rules.put((kind, id), rule, Place::Anywhere);
        assert_eq!(refused, Err(PushRuleError::NoOwnRules(kind)), "{id}");
    }
    assert_eq!(rules, PushRules::default());
    rules
        .set_enabled((kind, UNSUBSCRIBED_THREAD), true)
        .unwrap();
    let shown = rules.find(kind, UNSUBSCRIBED_THREAD, ME).unwrap();
    assert_eq!(shown["enabled"], true);
    rules
        .set_actions((kind, UNSUBSCRIBED_THREAD), vec![json!("notify")])
        .unwrap();
    let read = PushRules::parse(rules.to_json().as_bytes()).unwrap();
    assert_eq!(read, rules);
    assert_eq!(rules.delete(kind, "a"), Err(PushRuleError::NotFound));
}
