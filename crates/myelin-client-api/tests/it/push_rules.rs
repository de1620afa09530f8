//! `GET /_matrix/client/v3/pushrules/`, `/pushrules/global/`, and of one rule
//! `/pushrules/global/{kind}/{ruleId}`, `.../actions` and `.../enabled`

use myelin_testkit::{TestServer, encode, three_modes};
use serde_json::json;

use crate::covers;

three_modes!(
    the_predefined_rules_are_shown,
    each_rule_is_shown_alone,
    unknown_rules_are_not_found,
    the_rules_are_account_data,
);

covers! {
    "GET /_matrix/client/v3/pushrules/":
        works = the_predefined_rules_are_shown;
    "GET /_matrix/client/v3/pushrules/global/":
        works = the_predefined_rules_are_shown;
    "GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}":
        works = each_rule_is_shown_alone,
        404 = unknown_rules_are_not_found;
    "GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions":
        works = each_rule_is_shown_alone,
        404 = unknown_rules_are_not_found;
    "GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled":
        works = each_rule_is_shown_alone,
        404 = unknown_rules_are_not_found;
}

const KINDS: [&str; 5] = ["override", "content", "room", "sender", "underride"];

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
    let global = alice.get("/pushrules/global/").await.ok();
    let mut shown = 0;
    for kind in KINDS {
        for rule in global[kind].as_array().unwrap() {
            let id = rule["rule_id"].as_str().unwrap();
            let path = format!("/pushrules/global/{kind}/{}", encode(id));
            assert_eq!(&alice.get(&path).await.ok(), rule);
            for part in ["actions", "enabled"] {
                let answer = alice.get(&format!("{path}/{part}")).await.ok();
                assert_eq!(answer, json!({part: rule[part]}));
            }
            shown += 1;
        }
    }
    assert!(shown > 10, "{global}");
}

async fn unknown_rules_are_not_found(server: &TestServer) {
    let alice = server.user("alice").await;
    for rule in [
        "override/.m.rule.nonsense",
        "room/.m.rule.master",
        "nonsense/x",
    ] {
        for part in ["", "/actions", "/enabled"] {
            let path = format!("/pushrules/global/{rule}{part}");
            alice.get(&path).await.refused(404, "M_NOT_FOUND");
        }
    }
}

async fn the_rules_are_account_data(server: &TestServer) {
    let alice = server.user("alice").await;
    let path = format!("/user/{}/account_data/m.push_rules", encode(&alice.id));
    let rules = alice.get("/pushrules/").await.ok();
    assert_eq!(alice.get(&path).await.ok(), rules);
}
