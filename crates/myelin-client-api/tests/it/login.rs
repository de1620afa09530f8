//! `POST /_matrix/client/v3/login`

use std::time::Duration;

use http::Method;
use myelin_testkit::{TestServer, three_modes};
use serde_json::{Value, json};

use crate::{
    accounts::{Accounts, LOGIN, REGISTER, WHOAMI, access_token, change_account, password_auth},
    covers,
};

three_modes!(
    the_password_is_the_way_to_log_in,
    every_form_of_the_name_leads_to_the_account,
    a_wrong_name_and_a_wrong_password_look_alike,
    a_known_device_gets_a_new_token_and_loses_the_old_one,
    a_device_has_one_token_even_after_logins_at_once,
    who_was_deactivated_is_told_so_only_with_the_right_password,
    what_is_missing_or_mistaken_is_named,
    hostile_bodies_do_not_panic,
    who_is_locked_is_told_so_only_with_the_right_password,
    a_suspended_user_logs_in,
    a_login_token_logs_in_once,
    a_login_token_lives_two_minutes,
    a_login_token_is_asked_for_with_the_password_each_time,
    a_login_token_needs_an_account_that_is_open,
);

covers! {
    "GET /_matrix/client/v3/login":
        works = the_password_is_the_way_to_log_in;
    "POST /_matrix/client/v3/login":
        works = every_form_of_the_name_leads_to_the_account,
        400 = what_is_missing_or_mistaken_is_named,
        403 = a_wrong_name_and_a_wrong_password_look_alike;
    "POST /_matrix/client/v1/login/get_token":
        works = a_login_token_logs_in_once,
        400 = a_login_token_is_asked_for_with_the_password_each_time;
}

const GET_TOKEN: &str = "/_matrix/client/v1/login/get_token";

async fn the_password_is_the_way_to_log_in(server: &TestServer) {
    let answer = server.get(LOGIN).await.ok();
    let flows = json!({"flows": [
        {"type": "m.login.password"},
        {"type": "m.login.token", "get_login_token": true},
    ]});
    assert_eq!(answer, flows);
}

async fn every_form_of_the_name_leads_to_the_account(server: &TestServer) {
    let api = Accounts { server };
    access_token(&api.register("alice", json!({})).await);
    let whole = "@alice:localhost";
    for keys in [
        json!({}),
        json!({"identifier": {"type": "m.id.user", "user": whole}}),
        json!({"identifier": {"type": "m.id.user", "user": "Alice"}}),
        json!({"identifier": null, "user": "alice"}),
        json!({"identifier": null, "user": whole}),
        json!({"identifier": null, "user": whole, "refresh_token": null}),
    ] {
        let answer = api.login(keys).await;
        assert_eq!(answer.body["user_id"], whole);
        api.assert_alive(&access_token(&answer)).await;
    }
}

async fn a_wrong_name_and_a_wrong_password_look_alike(server: &TestServer) {
    let api = Accounts { server };
    access_token(&api.register("alice", json!({})).await);
    let user = |user: &str| json!({"identifier": {"type": "m.id.user", "user": user}});
    let mut answers = Vec::new();
    for keys in [
        json!({"password": "wonderlan"}),
        json!({"password": ""}),
        json!({"password": "x".repeat(900)}),
        user("nobody"),
        user(""),
        user("@alice:example.org"),
        user("not\u{0}a name"),
        json!({"identifier": {"type": "m.id.thirdparty", "medium": "email", "address": "a@b.c"}}),
        json!({"identifier": {"type": "m.id.phone", "country": "GB", "phone": "07700900001"}}),
        json!({"identifier": null, "medium": "email", "address": "a@b.c"}),
    ] {
        let answer = api.login(keys).await;
        assert_eq!(answer.code(), (403, "M_FORBIDDEN"), "{answer:?}");
        answers.push(answer.body);
    }
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );
}

async fn a_known_device_gets_a_new_token_and_loses_the_old_one(server: &TestServer) {
    let api = Accounts { server };
    let first = access_token(&api.register("alice", json!({"device_id": "PHONE"})).await);
    let other = access_token(&api.login(json!({})).await);
    let answer = api.login(json!({"device_id": "PHONE"})).await;
    assert_eq!(answer.body["device_id"], "PHONE");
    api.assert_alive(&access_token(&answer)).await;
    api.assert_alive(&other).await;
    api.assert_dead(&first).await;
}

async fn a_device_has_one_token_even_after_logins_at_once(server: &TestServer) {
    let api = Accounts { server };
    access_token(&api.register("alice", json!({})).await);
    let login = || api.login(json!({"device_id": "PHONE"}));
    let (a, b, c) = tokio::join!(login(), login(), login());
    let mut alive = 0;
    for answer in [a, b, c] {
        let whoami = api.get(WHOAMI, &access_token(&answer)).await;
        alive += usize::from(whoami.status == 200);
    }
    assert_eq!(alive, 1);
}

async fn who_was_deactivated_is_told_so_only_with_the_right_password(server: &TestServer) {
    let api = Accounts { server };
    let token = access_token(&api.register("alice", json!({})).await);
    change_account(server, "@alice:localhost", |user| {
        user.deactivated_ms = Some(1);
    })
    .await;

    api.assert_dead(&token).await;
    let answer = api.login(json!({})).await;
    assert_eq!(answer.code(), (403, "M_USER_DEACTIVATED"));
    let answer = api.login(json!({"password": "wrong"})).await;
    assert_eq!(answer.code(), (403, "M_FORBIDDEN"));
}

async fn what_is_missing_or_mistaken_is_named(server: &TestServer) {
    let api = Accounts { server };
    let cases = [
        (json!({}), (400, "M_MISSING_PARAM"), "`type`"),
        (json!({"type": 5}), (400, "M_BAD_JSON"), "`type`"),
        (
            json!({"type": "m.login.magic"}),
            (400, "M_UNKNOWN"),
            "Bad login type.",
        ),
        (
            json!({"type": "m.login.password"}),
            (400, "M_MISSING_PARAM"),
            "`identifier`",
        ),
        (
            json!({"type": "m.login.password", "user": "alice"}),
            (400, "M_MISSING_PARAM"),
            "`password`",
        ),
        (
            json!({"type": "m.login.password", "identifier": {}}),
            (400, "M_MISSING_PARAM"),
            "`identifier.type`",
        ),
        (
            json!({"type": "m.login.password", "identifier": {"type": "m.id.user"}}),
            (400, "M_MISSING_PARAM"),
            "`identifier.user`",
        ),
        (
            json!({"type": "m.login.password", "identifier": {"type": "m.id.magic"}}),
            (400, "M_UNKNOWN"),
            "`identifier`",
        ),
        (
            json!({"type": "m.login.token"}),
            (400, "M_MISSING_PARAM"),
            "`token`",
        ),
        (
            json!({"type": "m.login.password", "user": "a", "password": "b", "device_id": ""}),
            (400, "M_INVALID_PARAM"),
            "`device_id`",
        ),
    ];
    for (body, code, words) in cases {
        let answer = api.post(LOGIN, body.clone()).await;
        assert_eq!(answer.code(), code, "{body}: {answer:?}");
        assert!(answer.error().contains(words), "{body}: {answer:?}");
    }
}

async fn hostile_bodies_do_not_panic(server: &TestServer) {
    let deep = "[".repeat(900);
    for body in [
        "\u{0}",
        "{",
        "[]",
        "null",
        r#"{"type": {}}"#,
        r#"{"type": "\ud800"}"#,
        &deep,
    ] {
        for path in [LOGIN, REGISTER] {
            let answer = server.post_text(path, body).await;
            assert!(
                (400..500).contains(&answer.status),
                "{path} {body}: {answer:?}"
            );
            assert_ne!(answer.body["errcode"], Value::Null, "{path} {body}");
        }
    }
}

async fn who_is_locked_is_told_so_only_with_the_right_password(server: &TestServer) {
    let api = Accounts { server };
    access_token(&api.register("alice", json!({})).await);
    change_account(server, "@alice:localhost", |user| user.locked = true).await;
    let answer = api.login(json!({})).await;
    assert_eq!(answer.code(), (401, "M_USER_LOCKED"));
    assert_eq!(answer.body["soft_logout"], true);
    let answer = api.login(json!({"password": "wrong"})).await;
    assert_eq!(answer.code(), (403, "M_FORBIDDEN"));
}

async fn a_suspended_user_logs_in(server: &TestServer) {
    let api = Accounts { server };
    access_token(&api.register("alice", json!({})).await);
    change_account(server, "@alice:localhost", |user| user.suspended = true).await;
    let token = access_token(&api.login(json!({})).await);
    api.assert_alive(&token).await;
}

async fn login_token(api: &Accounts<'_>, token: &str) -> String {
    let answer = api
        .approved(Method::POST, GET_TOKEN, token, json!({}))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["expires_in_ms"], 120_000);
    answer.body["login_token"].as_str().unwrap().to_owned()
}

async fn a_login_token_logs_in_once(server: &TestServer) {
    let api = Accounts { server };
    let token = access_token(&api.register("alice", json!({})).await);
    let once = login_token(&api, &token).await;
    let body = json!({"type": "m.login.token", "token": once, "device_id": "TV"});
    let login = || api.post(LOGIN, body.clone());
    let (a, b) = tokio::join!(login(), login());
    let (won, lost) = if a.status == 200 { (a, b) } else { (b, a) };
    assert_eq!(won.body["user_id"], "@alice:localhost");
    assert_eq!(won.body["device_id"], "TV");
    api.assert_alive(&access_token(&won)).await;
    assert_eq!(lost.code(), (403, "M_FORBIDDEN"));
    assert_eq!(login().await.code(), (403, "M_FORBIDDEN"));
    let never = json!({"type": "m.login.token", "token": "never heard of"});
    let answer = api.post(LOGIN, never).await;
    assert_eq!(answer.code(), (403, "M_FORBIDDEN"));
}

async fn a_login_token_lives_two_minutes(server: &TestServer) {
    let api = Accounts { server };
    let token = access_token(&api.register("alice", json!({})).await);
    let late = login_token(&api, &token).await;
    server.clock().advance(Duration::from_mins(1));
    let in_time = login_token(&api, &token).await;
    server.clock().advance(Duration::from_mins(1));
    let login = |token: String| api.post(LOGIN, json!({"type": "m.login.token", "token": token}));
    assert_eq!(login(late).await.code(), (403, "M_FORBIDDEN"));
    access_token(&login(in_time).await);
}

async fn a_login_token_is_asked_for_with_the_password_each_time(server: &TestServer) {
    let api = Accounts { server };
    let token = access_token(&api.register("alice", json!({})).await);
    let ask = |auth: Value| api.call(Method::POST, GET_TOKEN, &token, json!({"auth": auth}));
    let challenge = ask(Value::Null).await;
    assert_eq!(challenge.status, 401);
    let flows = json!([{"stages": ["m.login.password"]}]);
    assert_eq!(challenge.body["flows"], flows);
    let auth = password_auth("alice", &challenge.body["session"]);
    assert_eq!(ask(auth.clone()).await.status, 200);
    let again = ask(auth).await;
    assert_eq!(again.status, 401, "{again:?}");
    assert_ne!(again.body["session"], challenge.body["session"]);

    // Without a password nobody can prove anything.
    change_account(server, "@alice:localhost", |user| user.password_hash = None).await;
    assert_eq!(ask(Value::Null).await.code(), (400, "M_FORBIDDEN"));
}

async fn a_login_token_needs_an_account_that_is_open(server: &TestServer) {
    let api = Accounts { server };
    let token = access_token(&api.register("alice", json!({})).await);
    let first = login_token(&api, &token).await;
    let second = login_token(&api, &token).await;
    let login = |token: String| api.post(LOGIN, json!({"type": "m.login.token", "token": token}));
    change_account(server, "@alice:localhost", |user| user.locked = true).await;
    assert_eq!(login(first).await.code(), (401, "M_USER_LOCKED"));
    change_account(server, "@alice:localhost", |user| {
        user.deactivated_ms = Some(1);
    })
    .await;
    assert_eq!(login(second).await.code(), (403, "M_USER_DEACTIVATED"));
}
