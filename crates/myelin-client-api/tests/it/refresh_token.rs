//! `POST /_matrix/client/v3/refresh`

use std::time::Duration;

use http::Method;
use myelin_testkit::{Answer, TestServer, three_modes};
use serde_json::{Value, json};

use crate::{
    accounts::{Accounts, WHOAMI, access_token, change_account},
    covers,
};

three_modes!(
    tokens_are_handed_out_and_replace_the_old_ones,
    an_expired_token_is_a_soft_logout,
    a_lost_answer_is_asked_for_again,
    a_refresh_token_handed_out_may_be_used_first,
    of_many_who_refresh_at_once_one_pair_lives,
    a_first_use_at_once_on_all_nodes_is_no_conflict,
    a_device_that_is_gone_refreshes_nothing,
    a_locked_account_refreshes_nothing,
    a_login_ends_what_was_handed_out,
    what_is_missing_is_named,
);

covers! {
    "POST /_matrix/client/v3/refresh":
        works = tokens_are_handed_out_and_replace_the_old_ones;
}

const REFRESH: &str = "/_matrix/client/v3/refresh";

fn refresh_token(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["expires_in_ms"], 3_600_000);
    answer.body["refresh_token"].as_str().unwrap().to_owned()
}

async fn refresh(api: &Accounts<'_>, token: &str) -> Answer {
    api.post(REFRESH, json!({ "refresh_token": token })).await
}

async fn log_in(api: &Accounts<'_>) -> (String, String) {
    let keys = json!({"refresh_token": true, "device_id": "PHONE"});
    let answer = api.register("alice", keys).await;
    (access_token(&answer), refresh_token(&answer))
}

fn assert_spent(answer: &Answer) {
    assert_eq!(answer.code(), (401, "M_UNKNOWN_TOKEN"), "{answer:?}");
    assert_eq!(answer.body["soft_logout"], true);
}

fn assert_unknown(answer: &Answer) {
    assert_eq!(answer.code(), (401, "M_UNKNOWN_TOKEN"), "{answer:?}");
    assert_eq!(answer.body.get("soft_logout"), None);
}

async fn tokens_are_handed_out_and_replace_the_old_ones(server: &TestServer) {
    let api = Accounts { server };
    let (first, first_refresh) = log_in(&api).await;
    let answer = refresh(&api, &first_refresh).await;
    let (second, second_refresh) = (access_token(&answer), refresh_token(&answer));
    assert_ne!(first, second);
    // Until the new one is used, the old ones are good.
    api.assert_alive(&first).await;
    let whoami = api.get(WHOAMI, &second).await.ok();
    assert_eq!(whoami["device_id"], "PHONE");
    api.assert_dead(&first).await;
    assert_spent(&refresh(&api, &first_refresh).await);
    api.assert_alive(&second).await;

    // Who logs in without asking for one gets none.
    let plain = api.login(json!({})).await;
    assert_eq!(plain.body.get("refresh_token"), None);
    assert_eq!(plain.body.get("expires_in_ms"), None);
    let login = api.login(json!({"refresh_token": true})).await;
    access_token(&refresh(&api, &refresh_token(&login)).await);
    access_token(&refresh(&api, &second_refresh).await);
}

async fn an_expired_token_is_a_soft_logout(server: &TestServer) {
    let api = Accounts { server };
    let (first, first_refresh) = log_in(&api).await;
    server.clock().advance(Duration::from_mins(59));
    api.assert_alive(&first).await;
    server.clock().advance(Duration::from_mins(1));
    let answer = api.get(WHOAMI, &first).await;
    assert_spent(&answer);
    let second = access_token(&refresh(&api, &first_refresh).await);
    api.assert_alive(&second).await;
    assert_unknown(&api.get(WHOAMI, &first).await);

    // Handed out, and never used in its time.
    let (_, third_refresh) = {
        let answer = api.login(json!({"refresh_token": true})).await;
        (access_token(&answer), refresh_token(&answer))
    };
    let unused = access_token(&refresh(&api, &third_refresh).await);
    server.clock().advance(Duration::from_hours(1));
    assert_spent(&api.get(WHOAMI, &unused).await);
    access_token(&refresh(&api, &third_refresh).await);
}

async fn a_lost_answer_is_asked_for_again(server: &TestServer) {
    let api = Accounts { server };
    let (_, first_refresh) = log_in(&api).await;
    let lost = refresh(&api, &first_refresh).await;
    let answer = refresh(&api, &first_refresh).await;
    api.assert_dead(&access_token(&lost)).await;
    assert_unknown(&refresh(&api, &refresh_token(&lost)).await);
    api.assert_alive(&access_token(&answer)).await;
    assert_spent(&refresh(&api, &first_refresh).await);
}

async fn a_refresh_token_handed_out_may_be_used_first(server: &TestServer) {
    let api = Accounts { server };
    let (first, first_refresh) = log_in(&api).await;
    let second = refresh(&api, &first_refresh).await;
    let third = refresh(&api, &refresh_token(&second)).await;
    api.assert_dead(&first).await;
    api.assert_dead(&access_token(&second)).await;
    assert_spent(&refresh(&api, &first_refresh).await);
    api.assert_alive(&access_token(&third)).await;
    assert_spent(&refresh(&api, &refresh_token(&second)).await);
    assert_unknown(&refresh(&api, &first_refresh).await);
}

async fn of_many_who_refresh_at_once_one_pair_lives(server: &TestServer) {
    let api = Accounts { server };
    let (_, first_refresh) = log_in(&api).await;
    let ask = || refresh(&api, &first_refresh);
    let (a, b, c) = tokio::join!(ask(), ask(), ask());
    let mut alive = 0;
    for answer in [a, b, c] {
        let whoami = api.get(WHOAMI, &access_token(&answer)).await;
        alive += usize::from(whoami.status == 200);
    }
    assert_eq!(alive, 1);
}

async fn a_first_use_at_once_on_all_nodes_is_no_conflict(server: &TestServer) {
    let api = Accounts { server };
    let (_, first_refresh) = log_in(&api).await;
    let second = access_token(&refresh(&api, &first_refresh).await);
    let used = || api.get(WHOAMI, &second);
    let (a, b, c, d) = tokio::join!(used(), used(), used(), used());
    for answer in [a, b, c, d] {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

async fn a_device_that_is_gone_refreshes_nothing(server: &TestServer) {
    let api = Accounts { server };
    let (first, first_refresh) = log_in(&api).await;
    let second = refresh(&api, &first_refresh).await;
    let delete = api.call(Method::POST, "/_matrix/client/v3/logout", &first, json!({}));
    // Whichever comes first: afterwards nothing is left.
    let again = refresh(&api, &first_refresh);
    let (deleted, raced) = tokio::join!(delete, again);
    assert_eq!(deleted.status, 200, "{deleted:?}");
    for answer in [&second, &raced] {
        if answer.status == 200 {
            api.assert_dead(&access_token(answer)).await;
            assert_unknown(&refresh(&api, &refresh_token(answer)).await);
        }
    }
    assert_unknown(&refresh(&api, &first_refresh).await);
    assert_unknown(&refresh(&api, "never heard of").await);
}

async fn a_locked_account_refreshes_nothing(server: &TestServer) {
    let api = Accounts { server };
    let (_, first_refresh) = log_in(&api).await;
    change_account(server, "@alice:localhost", |user| user.locked = true).await;
    let answer = refresh(&api, &first_refresh).await;
    assert_eq!(answer.code(), (401, "M_USER_LOCKED"));
    assert_eq!(answer.body["soft_logout"], true);
    change_account(server, "@alice:localhost", |user| {
        user.deactivated_ms = Some(1);
    })
    .await;
    assert_unknown(&refresh(&api, &first_refresh).await);
}

async fn a_login_ends_what_was_handed_out(server: &TestServer) {
    let api = Accounts { server };
    let (first, first_refresh) = log_in(&api).await;
    let second = refresh(&api, &first_refresh).await;
    let login = api.login(json!({"device_id": "PHONE"})).await;
    api.assert_alive(&access_token(&login)).await;
    api.assert_dead(&first).await;
    api.assert_dead(&access_token(&second)).await;
    assert_unknown(&refresh(&api, &first_refresh).await);
    assert_unknown(&refresh(&api, &refresh_token(&second)).await);
}

async fn what_is_missing_is_named(server: &TestServer) {
    let api = Accounts { server };
    for (body, code) in [
        (json!({}), (400, "M_MISSING_PARAM")),
        (json!({"refresh_token": 5}), (400, "M_BAD_JSON")),
        (json!({"refresh_token": Value::Null}), (400, "M_BAD_JSON")),
    ] {
        let answer = api.post(REFRESH, body.clone()).await;
        assert_eq!(answer.code(), code, "{body}");
    }
}
