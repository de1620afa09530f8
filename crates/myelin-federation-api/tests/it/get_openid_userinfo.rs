//! `GET /_matrix/federation/v1/openid/userinfo`

use std::time::Duration;

use myelin_testkit::{Answer, PASSWORD, TestServer, User, covers, encode, text, three_modes};
use serde_json::json;

three_modes!(
    a_token_tells_whose_it_is,
    other_tokens_tell_nothing,
    a_token_ends_with_the_account,
);

covers! {
    "GET /_matrix/federation/v1/openid/userinfo":
        works = a_token_tells_whose_it_is,
        401 = other_tokens_tell_nothing;
}

const PATH: &str = "/_matrix/federation/v1/openid/userinfo";

async fn token(user: &User) -> String {
    let path = format!("/user/{}/openid/request_token", encode(&user.id));
    text(&user.post(&path, json!({})).await.ok(), "access_token")
}

async fn ask(server: &TestServer, token: &str) -> Answer {
    server
        .get(&format!("{PATH}?access_token={}", encode(token)))
        .await
}

async fn a_token_tells_whose_it_is(server: &TestServer) {
    let alice = server.user("alice").await;
    let token = token(&alice).await;
    for _ in 0..2 {
        let told = ask(server, &token).await.ok();
        assert_eq!(told, json!({"sub": "@alice:localhost"}));
    }
}

async fn other_tokens_tell_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let token = token(&alice).await;
    server.get(PATH).await.refused(401, "M_MISSING_TOKEN");
    for other in [&*alice.token, "nonsense", ""] {
        ask(server, other).await.refused(401, "M_UNKNOWN_TOKEN");
    }
    server.clock().advance(Duration::from_hours(1));
    ask(server, &token).await.refused(401, "M_UNKNOWN_TOKEN");
}

async fn a_token_ends_with_the_account(server: &TestServer) {
    let alice = server.user("alice").await;
    let token = token(&alice).await;
    let identifier = json!({"type": "m.id.user", "user": alice.id});
    let auth = json!({"type": "m.login.password", "identifier": identifier, "password": PASSWORD});
    let body = json!({ "auth": auth });
    alice.post("/account/deactivate", body).await.ok();
    ask(server, &token).await.refused(401, "M_UNKNOWN_TOKEN");
}
