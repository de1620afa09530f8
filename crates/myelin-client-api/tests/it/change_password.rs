//! `POST /_matrix/client/v3/account/password`

use http::Method;
use myelin_testkit::{Answer, TestServer, three_modes};
use serde_json::{Value, json};

use crate::{
    accounts::{Accounts, access_token, password_auth},
    covers,
};

three_modes!(
    the_password_is_changed_and_others_are_logged_out,
    other_devices_stay_if_they_may,
    of_two_changes_at_once_one_counts,
    a_login_by_the_old_password_does_not_outlive_the_change,
    what_was_approved_by_the_old_password_is_void,
    a_password_has_limits,
);

covers! {
    "POST /_matrix/client/v3/account/password":
        works = the_password_is_changed_and_others_are_logged_out;
}

const PATH: &str = "/_matrix/client/v3/account/password";

async fn change(api: &Accounts<'_>, token: &str, body: Value) -> Answer {
    api.approved(Method::POST, PATH, token, body).await
}

async fn the_password_is_changed_and_others_are_logged_out(server: &TestServer) {
    let api = Accounts { server };
    let phone = access_token(&api.register("alice", json!({})).await);
    let laptop = access_token(&api.login(json!({})).await);
    let answer = change(&api, &phone, json!({"new_password": "looking glass"})).await;
    assert_eq!(answer.ok(), json!({}));
    api.assert_alive(&phone).await;
    api.assert_dead(&laptop).await;
    assert_eq!(api.login(json!({})).await.code(), (403, "M_FORBIDDEN"));
    access_token(&api.login(json!({"password": "looking glass"})).await);
    // Who is not logged in has no way to prove who they are.
    let answer = api.post(PATH, json!({"new_password": "x"})).await;
    assert_eq!(answer.code(), (401, "M_MISSING_TOKEN"));
}

async fn other_devices_stay_if_they_may(server: &TestServer) {
    let api = Accounts { server };
    let phone = access_token(&api.register("alice", json!({})).await);
    let laptop = access_token(&api.login(json!({})).await);
    let body = json!({"new_password": "looking glass", "logout_devices": false});
    change(&api, &phone, body).await.ok();
    api.assert_alive(&phone).await;
    api.assert_alive(&laptop).await;
    access_token(&api.login(json!({"password": "looking glass"})).await);
}

async fn of_two_changes_at_once_one_counts(server: &TestServer) {
    let api = Accounts { server };
    let phone = access_token(&api.register("alice", json!({})).await);
    let change = |password: &str| {
        let auth = password_auth("alice", &Value::Null);
        let body = json!({"new_password": password, "auth": auth});
        api.call(Method::POST, PATH, &phone, body)
    };
    let (a, b) = tokio::join!(change("one"), change("two"));
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401], "{a:?} {b:?}");
    let password = if a.status == 200 { "one" } else { "two" };
    access_token(&api.login(json!({ "password": password })).await);
}

async fn a_login_by_the_old_password_does_not_outlive_the_change(server: &TestServer) {
    let api = Accounts { server };
    let phone = access_token(&api.register("alice", json!({})).await);
    let auth = password_auth("alice", &Value::Null);
    let body = json!({"new_password": "looking glass", "auth": auth});
    let change = api.call(Method::POST, PATH, &phone, body);
    let login = || api.login(json!({}));
    let (changed, a, b, c) = tokio::join!(change, login(), login(), login());
    changed.ok();
    for answer in [a, b, c] {
        if answer.status == 200 {
            api.assert_dead(&access_token(&answer)).await;
        }
    }
    api.assert_alive(&phone).await;
}

async fn what_was_approved_by_the_old_password_is_void(server: &TestServer) {
    let api = Accounts { server };
    let phone = access_token(&api.register("alice", json!({})).await);
    let get_token = "/_matrix/client/v1/login/get_token";
    let challenge = api.call(Method::POST, get_token, &phone, json!({})).await;
    let session = challenge.body["session"].as_str().unwrap();
    let page = format!("/_matrix/client/v3/auth/m.login.password/fallback/web?session={session}");
    assert_eq!(
        server.post_text(&page, "password=wonderland").await.status,
        200
    );
    change(&api, &phone, json!({"new_password": "looking glass"}))
        .await
        .ok();
    let body = json!({"auth": {"session": session}});
    let answer = api.call(Method::POST, get_token, &phone, body).await;
    assert_eq!(answer.code(), (401, "M_UNKNOWN"));
}

async fn a_password_has_limits(server: &TestServer) {
    let api = Accounts { server };
    let phone = access_token(&api.register("alice", json!({})).await);
    let answer = change(&api, &phone, json!({"new_password": ""})).await;
    assert_eq!(answer.code(), (400, "M_WEAK_PASSWORD"));
    let answer = change(&api, &phone, json!({"new_password": "x".repeat(1_025)})).await;
    assert_eq!(answer.code(), (400, "M_INVALID_PARAM"));
    let answer = api.call(Method::POST, PATH, &phone, json!({})).await;
    assert_eq!(answer.code(), (400, "M_MISSING_PARAM"));
    access_token(&api.login(json!({})).await);
}
