//! `GET /_matrix/client/v3/pushrules/`, `/pushrules/global/`, and of one rule
//! `/pushrules/global/{kind}/{ruleId}`, `.../actions` and `.../enabled`

use http::Method;
use myelin_testkit::{Answer, TestServer, User, encode, text, three_modes};
use serde_json::{Value, json};

use crate::covers;

three_modes!(
    the_predefined_rules_are_shown,
    each_rule_is_shown_alone,
    unknown_rules_are_not_found,
    the_rules_are_account_data,
    a_rule_is_put_changed_and_deleted,
    rules_stand_before_and_after_others,
    rules_are_enabled_and_disabled,
    actions_are_set,
    predefined_rules_stay,
    bad_rules_are_refused,
    bad_bodies_are_refused,
    a_user_has_not_too_many_rules,
    changes_wake_the_syncs,
    the_rules_of_others_are_their_own,
    rules_are_changed_side_by_side,
);

covers! {
    "GET /_matrix/client/v3/pushrules/":
        works = the_predefined_rules_are_shown;
    "GET /_matrix/client/v3/pushrules/global/":
        works = the_predefined_rules_are_shown;
    "GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}":
        works = each_rule_is_shown_alone,
        404 = unknown_rules_are_not_found;
    "PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}":
        works = a_rule_is_put_changed_and_deleted,
        400 = bad_rules_are_refused,
        404 = unknown_rules_are_not_found;
    "DELETE /_matrix/client/v3/pushrules/global/{kind}/{ruleId}":
        works = a_rule_is_put_changed_and_deleted,
        404 = unknown_rules_are_not_found;
    "GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions":
        works = each_rule_is_shown_alone,
        404 = unknown_rules_are_not_found;
    "PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions":
        works = actions_are_set,
        404 = unknown_rules_are_not_found;
    "GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled":
        works = each_rule_is_shown_alone,
        404 = unknown_rules_are_not_found;
    "PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled":
        works = rules_are_enabled_and_disabled,
        404 = unknown_rules_are_not_found;
}

const KINDS: [&str; 5] = ["override", "content", "room", "sender", "underride"];

fn path(kind: &str, id: &str) -> String {
    format!("/pushrules/global/{kind}/{}", encode(id))
}

async fn delete(user: &User, path: &str) -> Answer {
    user.request(Method::DELETE, path, String::new()).await
}

async fn put(user: &User, id: &str, place: &str) {
    let body = json!({"actions": ["notify"], "conditions": []});
    let path = format!("{}{place}", path("override", id));
    assert_eq!(user.put(&path, body).await.ok(), json!({}));
}

/// The ids of the user's own override rules.
async fn own(user: &User) -> Vec<String> {
    let global = user.get("/pushrules/global/").await.ok();
    let rules = global["override"].as_array().unwrap().iter();
    let own = rules.filter(|rule| rule["default"] == false);
    own.map(|rule| text(rule, "rule_id")).collect()
}

async fn the_predefined_rules_are_shown(server: &TestServer) {
    let alice = server.user("alice").await;
    let global = alice.get("/pushrules/global/").await.ok();
    for kind in KINDS {
        assert!(global[kind].is_array(), "{kind}: {global}");
    }
    let first = &global["override"][0];
    assert_eq!(first["rule_id"], ".m.rule.master");
    assert_eq!(first["enabled"], false);
    assert_eq!(first["default"], true);
    let all = alice.get("/pushrules/").await.ok();
    assert_eq!(all, json!({"global": global}));
}

async fn each_rule_is_shown_alone(server: &TestServer) {
    let alice = server.user("alice").await;
    put(&alice, "mine", "").await;
    let global = alice.get("/pushrules/global/").await.ok();
    let mut shown = 0;
    for kind in KINDS {
        for rule in global[kind].as_array().unwrap() {
            let path = path(kind, rule["rule_id"].as_str().unwrap());
            assert_eq!(&alice.get(&path).await.ok(), rule);
            for part in ["actions", "enabled"] {
                let answer = alice.get(&format!("{path}/{part}")).await.ok();
                assert_eq!(answer, json!({part: rule[part]}));
            }
            shown += 1;
        }
    }
    assert_eq!(shown, 16, "{global}");
}

async fn unknown_rules_are_not_found(server: &TestServer) {
    let alice = server.user("alice").await;
    for rule in [
        "override/.m.rule.nonsense",
        "room/.m.rule.master",
        "room/!room:localhost",
        "nonsense/x",
    ] {
        let path = format!("/pushrules/global/{rule}");
        for part in ["", "/actions", "/enabled"] {
            let answer = alice.get(&format!("{path}{part}")).await;
            answer.refused(404, "M_NOT_FOUND");
        }
        delete(&alice, &path).await.refused(404, "M_NOT_FOUND");
        let answer = alice
            .put(&format!("{path}/actions"), json!({"actions": []}))
            .await;
        answer.refused(404, "M_NOT_FOUND");
        let answer = alice
            .put(&format!("{path}/enabled"), json!({"enabled": true}))
            .await;
        answer.refused(404, "M_NOT_FOUND");
    }
    let path = path("nonsense", "x");
    let refused = alice.put(&path, json!({"actions": []})).await;
    refused.refused(404, "M_NOT_FOUND");
}

async fn the_rules_are_account_data(server: &TestServer) {
    let alice = server.user("alice").await;
    put(&alice, "mine", "").await;
    let path = format!("/user/{}/account_data/m.push_rules", encode(&alice.id));
    let rules = alice.get("/pushrules/").await.ok();
    assert_eq!(rules["global"]["override"][1]["rule_id"], "mine");
    assert_eq!(alice.get(&path).await.ok(), rules);
}

async fn a_rule_is_put_changed_and_deleted(server: &TestServer) {
    let alice = server.user("alice").await;
    for (kind, id, extra) in [
        (
            "override",
            "x.y@z",
            json!({"conditions": [{"kind": "event_match", "key": "type", "pattern": "x"}]}),
        ),
        ("underride", "u", json!({"conditions": []})),
        ("content", "c", json!({"pattern": "cake"})),
        ("room", "!room:localhost", json!({})),
        ("sender", "@spam:localhost", json!({})),
    ] {
        let path = path(kind, id);
        let mut wanted = json!({"rule_id": id, "default": false, "enabled": true});
        for actions in [
            json!(["notify"]),
            json!(["notify", {"set_tweak": "highlight"}]),
        ] {
            let mut rule = extra.clone();
            rule["actions"] = actions.clone();
            assert_eq!(alice.put(&path, rule).await.ok(), json!({}));
            wanted["actions"] = actions;
            for (key, value) in extra.as_object().unwrap() {
                wanted[key] = value.clone();
            }
            assert_eq!(alice.get(&path).await.ok(), wanted);
        }
        assert_eq!(delete(&alice, &path).await.ok(), json!({}));
        alice.get(&path).await.refused(404, "M_NOT_FOUND");
    }
    assert_eq!(own(&alice).await, Vec::<String>::new());
}

async fn rules_stand_before_and_after_others(server: &TestServer) {
    let alice = server.user("alice").await;
    put(&alice, "a", "").await;
    put(&alice, "b", "").await;
    put(&alice, "c", "?after=b").await;
    put(&alice, "d", "?before=a").await;
    assert_eq!(own(&alice).await, ["b", "c", "d", "a"]);
    put(&alice, "a", "?before=c&after=d").await;
    assert_eq!(own(&alice).await, ["b", "a", "c", "d"]);
    put(&alice, "c", "").await;
    assert_eq!(own(&alice).await, ["b", "a", "c", "d"]);
    let global = alice.get("/pushrules/global/").await.ok();
    assert_eq!(global["override"][0]["rule_id"], ".m.rule.master");
    for query in ["before=x", "after=x", "before=.m.rule.master"] {
        let path = format!("/pushrules/global/override/e?{query}");
        let refused = alice.put(&path, json!({"actions": []})).await;
        refused.refused(400, "M_UNKNOWN");
    }
    let twice = alice
        .put(
            "/pushrules/global/override/e?before=a&before=b",
            json!({"actions": []}),
        )
        .await;
    twice.refused(400, "M_INVALID_PARAM");
    assert_eq!(own(&alice).await, ["b", "a", "c", "d"]);
}

async fn rules_are_enabled_and_disabled(server: &TestServer) {
    let alice = server.user("alice").await;
    put(&alice, "mine", "").await;
    for id in ["mine", ".m.rule.master", ".m.rule.tombstone"] {
        let path = path("override", id);
        for enabled in [true, false, true] {
            let body = json!({"enabled": enabled});
            let answer = alice.put(&format!("{path}/enabled"), body.clone()).await;
            assert_eq!(answer.ok(), json!({}));
            assert_eq!(alice.get(&format!("{path}/enabled")).await.ok(), body);
            assert_eq!(alice.get(&path).await.ok()["enabled"], enabled);
        }
    }
}

async fn actions_are_set(server: &TestServer) {
    let alice = server.user("alice").await;
    put(&alice, "mine", "").await;
    for (kind, id) in [("override", "mine"), ("underride", ".m.rule.message")] {
        let path = format!("{}/actions", path(kind, id));
        let actions = json!(["notify", {"set_tweak": "sound", "value": "ding"}]);
        let answer = alice.put(&path, json!({"actions": actions})).await;
        assert_eq!(answer.ok(), json!({}));
        assert_eq!(alice.get(&path).await.ok(), json!({"actions": actions}));
        // What means nothing any more is left out (spec).
        alice
            .put(&path, json!({"actions": ["dont_notify"]}))
            .await
            .ok();
        assert_eq!(alice.get(&path).await.ok(), json!({"actions": []}));
        let refused = alice.put(&path, json!({"actions": [{"value": 1}]})).await;
        refused.refused(400, "M_INVALID_PARAM");
    }
}

async fn predefined_rules_stay(server: &TestServer) {
    let alice = server.user("alice").await;
    let before = alice.get("/pushrules/").await.ok();
    let path = path("override", ".m.rule.master");
    delete(&alice, &path).await.refused(400, "M_INVALID_PARAM");
    let refused = alice.put(&path, json!({"actions": ["notify"]})).await;
    refused.refused(400, "M_INVALID_PARAM");
    assert_eq!(alice.get("/pushrules/").await.ok(), before);
}

async fn bad_rules_are_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    let condition = |condition: Value| json!({"actions": [], "conditions": [condition]});
    for (kind, id, rule, code) in [
        (
            "override",
            ".mine",
            json!({"actions": []}),
            "M_INVALID_PARAM",
        ),
        ("override", "a/b", json!({"actions": []}), "M_INVALID_PARAM"),
        (
            "override",
            "a\\b",
            json!({"actions": []}),
            "M_INVALID_PARAM",
        ),
        ("override", "a", json!({"actions": [7]}), "M_INVALID_PARAM"),
        ("override", "a", condition(json!({})), "M_INVALID_PARAM"),
        ("override", "a", condition(json!("x")), "M_INVALID_PARAM"),
        ("content", "a", json!({"actions": []}), "M_MISSING_PARAM"),
        (
            "content",
            "a",
            json!({"actions": [], "pattern": "a".repeat(1_025)}),
            "M_INVALID_PARAM",
        ),
    ] {
        let refused = alice.put(&path(kind, id), rule).await;
        refused.refused(400, code);
    }
    assert_eq!(own(&alice).await, Vec::<String>::new());
}

async fn bad_bodies_are_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    put(&alice, "mine", "").await;
    for (part, body) in [
        ("", json!({})),
        ("", json!({"actions": "notify"})),
        ("", json!([])),
        ("/actions", json!({})),
        ("/actions", json!({"actions": {}})),
        ("/enabled", json!({})),
        ("/enabled", json!({"enabled": "yes"})),
    ] {
        let path = format!("{}{part}", path("override", "mine"));
        let answer = alice.put(&path, body.clone()).await;
        assert_eq!(answer.status, 400, "{part} {body}");
    }
}

async fn a_user_has_not_too_many_rules(server: &TestServer) {
    let alice = server.user("alice").await;
    let large = json!({"actions": [{"set_tweak": "sound", "value": "x".repeat(100_000)}]});
    alice.put(&path("override", "a"), large.clone()).await.ok();
    let refused = alice.put(&path("override", "b"), large).await;
    refused.refused(413, "M_TOO_LARGE");
    assert_eq!(own(&alice).await, ["a"]);
}

async fn changes_wake_the_syncs(server: &TestServer) {
    let alice = server.user("alice").await;
    let rules_of = |sync: &Value| {
        let events = sync["account_data"]["events"].as_array().unwrap().iter();
        let mut rules = events.filter(|event| event["type"] == "m.push_rules");
        rules.next().map(|event| event["content"].clone())
    };
    let since = text(&alice.sync(None).await, "next_batch");
    let poll = format!("/sync?timeout=60000&since={since}");
    let (sync, ()) = tokio::join!(alice.get(&poll), put(&alice, "mine", ""));
    let sync = sync.ok();
    let shown = rules_of(&sync).expect("the rules have changed");
    assert_eq!(shown, alice.get("/pushrules/").await.ok());
    let since = text(&sync, "next_batch");
    // What changes nothing is no news.
    put(&alice, "mine", "").await;
    assert_eq!(rules_of(&alice.sync(Some(&since)).await), None);
    delete(&alice, &path("override", "mine")).await.ok();
    let sync = alice.sync(Some(&since)).await;
    assert!(rules_of(&sync).is_some(), "{sync}");
}

async fn the_rules_of_others_are_their_own(server: &TestServer) {
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let since = text(&bob.sync(None).await, "next_batch");
    put(&alice, "mine", "").await;
    assert_eq!(own(&bob).await, Vec::<String>::new());
    let sync = bob.sync(Some(&since)).await;
    assert_eq!(sync["account_data"]["events"], json!([]));
}

async fn rules_are_changed_side_by_side(server: &TestServer) {
    let alice = server.user("alice").await;
    tokio::join!(
        put(&alice, "a", ""),
        put(&alice, "b", ""),
        put(&alice, "c", ""),
        put(&alice, "d", ""),
    );
    let mut found = own(&alice).await;
    found.sort();
    assert_eq!(found, ["a", "b", "c", "d"]);
}
