//! The predefined rules say what the specification says.

use super::*;

fn of_defaults(event: &PushEvent, joined: u64) -> Value {
    actions(
        &CompiledRules::new(&PushRules::default()),
        event,
        &facts(joined),
    )
}

fn state(event_type: &str, state_key: &str, membership: &str) -> PushEvent {
    let event = json!({
        "type": event_type, "state_key": state_key,
        "sender": "@bob:example.org", "content": {"membership": membership},
    });
    PushEvent::new(&event.to_string(), ROOM)
}

/// A message with this in its content.
fn text(key: &str, value: Value) -> PushEvent {
    let mut content = json!({"msgtype": "m.text", "body": "x"});
    content[key] = value;
    event("m.room.message", content)
}

#[test]
fn the_predefined_rules_say_what_the_specification_says_of_messages() {
    let sound = json!(["notify", {"set_tweak": "sound", "value": "default"}]);
    let ring = json!(["notify", {"set_tweak": "sound", "value": "ring"}]);
    let mut mention = sound.clone();
    let highlight = json!({"set_tweak": "highlight"});
    mention.as_array_mut().unwrap().push(highlight);
    let edit = json!({"rel_type": "m.replace"});
    let by = |user_ids: Value| json!({"user_ids": user_ids});
    for (event, joined, wanted) in [
        (message("x"), 3, json!(["notify"])),
        (message("x"), 2, sound.clone()),
        (message("Alice (away) alice"), 3, json!(["notify"])),
        (event("m.room.encrypted", json!({})), 3, json!(["notify"])),
        (event("m.room.encrypted", json!({})), 2, sound),
        (text("msgtype", json!("m.notice")), 2, json!([])),
        (event("m.reaction", json!({})), 2, json!([])),
        (event("m.sticker", json!({})), 2, Value::Null),
        (event("m.call.invite", json!({})), 2, ring),
        (text("m.relates_to", edit), 2, json!([])),
        (text("m.mentions", by(json!(["@x:y", ME]))), 3, mention),
        (
            text("m.mentions", by(json!(["@x:y"]))),
            3,
            json!(["notify"]),
        ),
        (text("m.mentions", by(json!(1))), 3, json!(["notify"])),
        // It has to be a list.
        (text("m.mentions", by(json!(ME))), 3, json!(["notify"])),
    ] {
        assert_eq!(of_defaults(&event, joined), wanted, "{event:?} {joined}");
    }
}

#[test]
fn the_predefined_rules_say_what_the_specification_says_of_state() {
    let sound = json!(["notify", {"set_tweak": "sound", "value": "default"}]);
    let highlight = json!(["notify", {"set_tweak": "highlight"}]);
    for (event, wanted) in [
        (state("m.room.member", ME, "invite"), sound),
        (state("m.room.member", "@x:y", "invite"), json!([])),
        (state("m.room.member", ME, "join"), json!([])),
        (state("m.room.tombstone", "", ""), highlight),
        (state("m.room.tombstone", "x", ""), Value::Null),
        (state("m.room.server_acl", "", ""), json!([])),
        (state("m.room.topic", "", ""), Value::Null),
    ] {
        assert_eq!(of_defaults(&event, 3), wanted, "{event:?}");
    }
}

#[test]
fn subscriptions_come_after_mentions_and_before_rooms() {
    let sound = json!(["notify", {"set_tweak": "sound", "value": "default"}]);
    let mut rules = PushRules::default();
    let silent = new_rule(json!({"actions": []}));
    rules
        .put((RuleKind::Room, ROOM), silent, Place::Anywhere)
        .unwrap();
    let cake = new_rule(json!({"actions": ["notify", "cake"], "pattern": "cake"}));
    rules
        .put((RuleKind::Content, "cake"), cake, Place::Anywhere)
        .unwrap();
    let silenced = (RuleKind::PostContent, UNSUBSCRIBED_THREAD);
    for (is_silenced, subscribed, wanted) in [
        (false, None, json!([])),
        (false, Some(false), json!([])),
        (false, Some(true), sound.clone()),
        (true, None, json!([])),
        (true, Some(false), json!([])),
        (true, Some(true), sound),
    ] {
        rules.set_enabled(silenced, is_silenced).unwrap();
        let compiled = CompiledRules::new(&rules);
        let facts = Facts {
            subscribed,
            ..facts(3)
        };
        assert_eq!(actions(&compiled, &message("x"), &facts), wanted);
        let cake = actions(&compiled, &message("cake"), &facts);
        assert_eq!(cake, json!(["notify", "cake"]));
        let mention = text("m.mentions", json!({"user_ids": [ME]}));
        assert!(highlights(&compiled, &mention, &facts));
    }
    // By itself it says nothing of threads until a user says so.
    let facts = Facts {
        subscribed: Some(false),
        ..facts(3)
    };
    let rules = CompiledRules::new(&PushRules::default());
    assert_eq!(actions(&rules, &message("x"), &facts), json!(["notify"]));
}

#[test]
fn whom_an_event_names_is_known_without_asking_everybody() {
    let rules = CompiledRules::new(&PushRules::default());
    assert!(!rules.reads_display_name());
    let mentions = json!({"body": "x", "m.mentions": {"user_ids": [ME, 1, "@x:y"]}});
    let event = event("m.room.message", mentions);
    let named = rules.named(&event);
    assert_eq!(Vec::from_iter(named), [ME, "@x:y"]);
    // For somebody whom it does not name.
    let verdict = rules.verdict(&event, &facts(3), None);
    assert!(matches!(verdict, Verdict::Actions(actions) if !actions.highlight));
}

#[test]
fn the_rules_are_shown_with_the_id_of_their_user() {
    let shown = PushRules::default().shown(ME);
    let text = shown.to_string();
    assert!(!text.contains("Matrix ID"), "{text}");
    let ids = |kind: &str| -> Vec<String> {
        let rules = shown[kind].as_array().unwrap().iter();
        rules
            .map(|rule| rule["rule_id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        ids("override"),
        [
            ".m.rule.master",
            ".m.rule.suppress_notices",
            ".m.rule.invite_for_me",
            ".m.rule.member_event",
            ".m.rule.is_user_mention",
            ".m.rule.is_room_mention",
            ".m.rule.tombstone",
            ".m.rule.reaction",
            ".m.rule.room.server_acl",
            ".m.rule.suppress_edits",
        ]
    );
    assert_eq!(
        ids("underride"),
        [
            ".m.rule.call",
            ".m.rule.encrypted_room_one_to_one",
            ".m.rule.room_one_to_one",
            ".m.rule.message",
            ".m.rule.encrypted",
        ]
    );
    assert_eq!(
        ids("postcontent"),
        [
            ".io.element.msc4306.rule.unsubscribed_thread",
            ".io.element.msc4306.rule.subscribed_thread",
        ]
    );
    for kind in ["content", "room", "sender"] {
        assert_eq!(shown[kind], json!([]), "{kind}");
    }
    assert_eq!(shown["override"][2]["conditions"][2]["pattern"], ME);
    assert_eq!(shown["override"][4]["conditions"][0]["value"], ME);
    assert_eq!(shown["override"][0]["enabled"], false);
}
