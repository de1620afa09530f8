//! `POST /_matrix/client/v3/register`

use std::sync::Arc;

use http::StatusCode;
use myelin_accounts::{AccountSettings, PasswordCost};
use serde_json::{Value, json};

use crate::{REGISTER, TestApi, WHOAMI, access_token};

#[tokio::test]
async fn an_account_is_made_after_the_dummy_stage() {
    let api = TestApi::start().await;
    let wish = json!({"username": "alice", "password": "wonderland"});
    let answer = api.post(REGISTER, wish.clone()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.body["flows"], json!([{"stages": ["m.login.dummy"]}]));
    assert_eq!(answer.body["params"], json!({}));
    assert_eq!(answer.body.get("errcode"), None);
    let session = answer.body["session"].as_str().unwrap();
    assert!(!session.is_empty());

    let auth = json!({"auth": {"type": "m.login.dummy", "session": session}});
    let answer = api.register("alice", auth).await;
    assert_eq!(answer.body["user_id"], "@alice:example.org");
    let device = answer.body["device_id"].as_str().unwrap();
    assert_eq!(device.len(), 10, "{device}");
    let whoami = api.get(WHOAMI, &access_token(&answer)).await;
    assert_eq!(
        whoami.body,
        json!({"user_id": "@alice:example.org", "device_id": device})
    );
}

#[tokio::test]
async fn a_session_without_a_stage_is_asked_again() {
    let api = TestApi::start().await;
    let answer = api
        .post(REGISTER, json!({"auth": {"session": "mine"}}))
        .await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.body["session"], "mine");
    assert_eq!(answer.body.get("errcode"), None);
}

#[tokio::test]
async fn another_stage_fails_and_the_flows_are_said_again() {
    let api = TestApi::start().await;
    for stage in ["m.login.sso", "org.example.magic"] {
        let auth = json!({"auth": {"type": stage, "session": "mine"}});
        let answer = api.register("alice", auth).await;
        assert_eq!(answer.code(), (401, "M_UNRECOGNIZED"), "{stage}");
        assert_eq!(answer.body["flows"], json!([{"stages": ["m.login.dummy"]}]));
        assert_eq!(answer.body["session"], "mine");
    }
}

#[tokio::test]
async fn a_name_is_taken_once_and_refused_before_authentication() {
    let api = TestApi::start().await;
    access_token(&api.register("alice", json!({})).await);
    for name in ["alice", "Alice"] {
        let answer = api.register(name, json!({})).await;
        assert_eq!(answer.code(), (400, "M_USER_IN_USE"), "{name}");
        let answer = api.post(REGISTER, json!({"username": name})).await;
        assert_eq!(answer.code(), (400, "M_USER_IN_USE"), "{name}");
    }
}

#[tokio::test]
async fn of_many_who_want_a_name_at_once_one_gets_it() {
    let api = TestApi::start().await;
    let wish = || api.register("alice", json!({}));
    let (a, b, c, d) = tokio::join!(wish(), wish(), wish(), wish());
    let codes = [a, b, c, d].map(|answer| answer.status.as_u16());
    assert_eq!(
        codes.iter().filter(|code| **code == 200).count(),
        1,
        "{codes:?}"
    );
    assert_eq!(
        codes.iter().filter(|code| **code == 400).count(),
        3,
        "{codes:?}"
    );
}

#[tokio::test]
async fn names_keep_to_the_grammar() {
    let api = TestApi::start().await;
    let long = "x".repeat(243);
    for name in [
        "",
        "@alice:example.org",
        "al ice",
        "älice",
        "a\u{0}b",
        "a:b",
        &long,
    ] {
        let answer = api.register(name, json!({})).await;
        assert_eq!(answer.code(), (400, "M_INVALID_USERNAME"), "{name}");
    }
    for (name, user) in [
        ("a.b_c=d-e/f+1", "@a.b_c=d-e/f+1:example.org"),
        ("BOB", "@bob:example.org"),
        (&long[1..], &format!("@{}:example.org", &long[1..])),
    ] {
        let answer = api.register(name, json!({})).await;
        assert_eq!(answer.body["user_id"], user, "{answer:?}");
    }
}

#[tokio::test]
async fn a_name_is_chosen_for_who_gives_none() {
    let api = TestApi::start().await;
    let first = api.register("x", json!({"username": null})).await;
    let second = api.register("x", json!({"username": null})).await;
    for answer in [&first, &second] {
        access_token(answer);
        let user = answer.body["user_id"].as_str().unwrap();
        let localpart = user
            .trim_start_matches('@')
            .trim_end_matches(":example.org");
        assert_eq!(localpart.len(), 18, "{user}");
        assert!(
            localpart.bytes().all(|byte| byte.is_ascii_lowercase()),
            "{user}"
        );
    }
    assert_ne!(first.body["user_id"], second.body["user_id"]);
}

#[tokio::test]
async fn without_login_there_is_no_token() {
    let api = TestApi::start().await;
    let answer = api.register("alice", json!({"inhibit_login": true})).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body["user_id"], "@alice:example.org");
    assert_eq!(answer.body.get("access_token"), None);
    let device = answer.body.get("device_id").unwrap_or(&Value::Null);
    assert_eq!(device, &Value::Null);
    access_token(&api.login(json!({})).await);
}

#[tokio::test]
async fn the_device_is_the_one_that_was_asked_for() {
    let api = TestApi::start().await;
    let device = json!({"device_id": "PHONE", "initial_device_display_name": "Alice's phone"});
    let answer = api.register("alice", device).await;
    assert_eq!(answer.body["device_id"], "PHONE");
    for keys in [
        json!({"device_id": ""}),
        json!({"device_id": "x".repeat(256)}),
        json!({"initial_device_display_name": "x".repeat(256)}),
    ] {
        let answer = api.register("bob", keys).await;
        assert_eq!(answer.code(), (400, "M_INVALID_PARAM"), "{answer:?}");
    }
}

#[tokio::test]
async fn what_is_missing_or_mistaken_is_named() {
    let api = TestApi::start().await;
    let answer = api.register("alice", json!({"password": null})).await;
    assert_eq!(answer.code(), (400, "M_MISSING_PARAM"));
    assert!(answer.error().contains("`password`"));
    let answer = api.register("alice", json!({"username": 5})).await;
    assert_eq!(answer.code(), (400, "M_BAD_JSON"));
    assert!(answer.error().contains("`username`"), "{answer:?}");
    let answer = api.post(&format!("{REGISTER}?kind=king"), json!({})).await;
    assert_eq!(answer.code(), (400, "M_INVALID_PARAM"));
    let answer = api.post(&format!("{REGISTER}?kind=guest"), json!({})).await;
    assert_eq!(answer.code(), (403, "M_GUEST_ACCESS_FORBIDDEN"));
    let service = json!({"type": "m.login.application_service"});
    let answer = api.register("alice", service).await;
    assert_eq!(answer.code(), (401, "M_UNKNOWN_TOKEN"));
}

#[tokio::test]
async fn a_closed_server_registers_nobody() {
    let closed = Arc::new(AccountSettings::new(false, PasswordCost::Low));
    let api = TestApi::start_with(|app| app.accounts = closed).await;
    for answer in [
        api.register("alice", json!({})).await,
        api.post(REGISTER, json!({})).await,
    ] {
        assert_eq!(answer.code(), (403, "M_FORBIDDEN"));
    }
}
