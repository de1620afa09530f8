//! `POST /_matrix/client/v3/login`

use myelin_store::{WriteSet, users};
use myelin_testkit::{TestServer, three_modes};
use serde_json::{Value, json};

use crate::accounts::{Accounts, LOGIN, REGISTER, WHOAMI, access_token};

three_modes!(
    the_password_is_the_way_to_log_in,
    every_form_of_the_name_leads_to_the_account,
    a_wrong_name_and_a_wrong_password_look_alike,
    a_known_device_gets_a_new_token_and_loses_the_old_one,
    a_device_has_one_token_even_after_logins_at_once,
    who_was_deactivated_is_told_so_only_with_the_right_password,
    what_is_missing_or_mistaken_is_named,
    hostile_bodies_do_not_panic,
);

async fn the_password_is_the_way_to_log_in(server: &TestServer) {
    let answer = server.get(LOGIN).await.ok();
    assert_eq!(answer, json!({"flows": [{"type": "m.login.password"}]}));
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
    let store = &server.stores()[0];
    let number = store.find_interned(b"@alice:localhost").await.unwrap();
    let mut user = users::find(&mut store.read(), number.unwrap())
        .await
        .unwrap()
        .unwrap();
    user.deactivated_ms = Some(1);
    let mut writes = WriteSet::new();
    users::update(&mut writes, &user);
    store.commit(writes).await.unwrap();

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
            json!({"type": "m.login.password", "identifier": {"type": "m.id.thirdparty"}}),
            (403, "M_FORBIDDEN"),
            "address",
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
