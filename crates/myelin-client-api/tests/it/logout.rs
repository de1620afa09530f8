//! `POST /_matrix/client/v3/logout` and `/logout/all`

use http::StatusCode;
use serde_json::json;

use crate::{TestApi, access_token, support::send};

#[tokio::test]
async fn logout_ends_one_session() {
    let api = TestApi::start().await;
    let phone = access_token(&api.register("alice", json!({"device_id": "PHONE"})).await);
    let laptop = access_token(&api.login(json!({})).await);
    let path = "/_matrix/client/v3/logout";
    let answer = send(&api.router, "POST", path, Some(&phone), "").await;
    assert_eq!((answer.status, answer.body), (StatusCode::OK, json!({})));
    api.assert_dead(&phone).await;
    api.assert_alive(&laptop).await;
    let answer = send(&api.router, "POST", path, Some(&phone), "{}").await;
    assert_eq!(answer.code(), (401, "M_UNKNOWN_TOKEN"));

    let again = access_token(&api.login(json!({"device_id": "PHONE"})).await);
    api.assert_alive(&again).await;
}

#[tokio::test]
async fn logout_all_ends_the_user_s_sessions_and_nobody_else_s() {
    let api = TestApi::start().await;
    let phone = access_token(&api.register("alice", json!({})).await);
    let laptop = access_token(&api.login(json!({})).await);
    let bob = access_token(&api.register("bob", json!({})).await);
    let path = "/_matrix/client/v3/logout/all";
    let answer = send(&api.router, "POST", path, Some(&phone), "").await;
    assert_eq!((answer.status, answer.body), (StatusCode::OK, json!({})));
    api.assert_dead(&phone).await;
    api.assert_dead(&laptop).await;
    api.assert_alive(&bob).await;
}
