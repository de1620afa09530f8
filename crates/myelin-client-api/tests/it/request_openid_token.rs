//! `POST /_matrix/client/v3/user/{userId}/openid/request_token`

use std::time::Duration;

use myelin_store::openid_tokens;
use myelin_testkit::{TestServer, encode, text, three_modes};
use serde_json::json;

use crate::covers;

three_modes!(
    a_token_stands_for_the_user_for_an_hour,
    a_token_is_no_access_token,
    each_user_asks_for_themselves,
    expired_tokens_are_taken_away,
);

covers! {
    "POST /_matrix/client/v3/user/{userId}/openid/request_token":
        works = a_token_stands_for_the_user_for_an_hour,
        other_user = each_user_asks_for_themselves;
}

fn path(user: &str) -> String {
    format!("/user/{}/openid/request_token", encode(user))
}

/// Whom another service is told that the token stands for.
async fn owner(server: &TestServer, token: &str) -> Option<String> {
    let path = "/_matrix/federation/v1/openid/userinfo?access_token=";
    let answer = server.get(&format!("{path}{}", encode(token))).await;
    if answer.status == 401 {
        return None;
    }
    Some(text(&answer.ok(), "sub"))
}

async fn a_token_stands_for_the_user_for_an_hour(server: &TestServer) {
    let alice = server.user("alice").await;
    let answer = alice.post(&path(&alice.id), json!({})).await.ok();
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["matrix_server_name"], "localhost");
    assert_eq!(answer["expires_in"], 3600);
    let token = text(&answer, "access_token");
    let other = alice.post(&path(&alice.id), json!({})).await.ok();
    assert_ne!(token, text(&other, "access_token"));
    server.clock().advance(Duration::from_secs(3_599));
    assert_eq!(owner(server, &token).await, Some(alice.id));
    server.clock().advance(Duration::from_secs(1));
    assert_eq!(owner(server, &token).await, None);
    assert_eq!(owner(server, "nonsense").await, None);
}

async fn a_token_is_no_access_token(server: &TestServer) {
    let alice = server.user("alice").await;
    let answer = alice.post(&path(&alice.id), json!({})).await.ok();
    let mut impostor = alice.clone();
    impostor.token = text(&answer, "access_token");
    impostor
        .get("/account/whoami")
        .await
        .refused(401, "M_UNKNOWN_TOKEN");
    assert_eq!(owner(server, &alice.token).await, None);
}

async fn each_user_asks_for_themselves(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    bob.post(&path(&alice.id), json!({}))
        .await
        .refused(403, "M_FORBIDDEN");
}

async fn expired_tokens_are_taken_away(server: &TestServer) {
    let alice = server.user("alice").await;
    for _ in 0..3 {
        alice.post(&path(&alice.id), json!({})).await.ok();
    }
    server.clock().advance(Duration::from_hours(2));
    alice.post(&path(&alice.id), json!({})).await.ok();
    let store = server.stores().remove(0);
    let now_ms = server.now_ms().cast_signed();
    let left = openid_tokens::list_expired(&mut store.read(), now_ms, 10).await;
    assert!(left.unwrap().is_empty());
}
