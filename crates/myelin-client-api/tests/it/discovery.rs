//! `GET /_matrix/client/versions` and `GET /login`.

use http::StatusCode;
use serde_json::json;

use crate::{LOGIN, TestApi, support::send};

#[tokio::test]
async fn versions_are_listed_without_a_token() {
    let api = TestApi::start().await;
    let answer = send(&api.router, "GET", "/_matrix/client/versions", None, "").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "application/json");
    let versions = answer.body["versions"].as_array().unwrap();
    assert!(versions.contains(&json!("v1.1")), "{versions:?}");
}

#[tokio::test]
async fn the_password_is_the_way_to_log_in() {
    let api = TestApi::start().await;
    let answer = send(&api.router, "GET", LOGIN, None, "").await;
    assert_eq!(
        answer.body,
        json!({"flows": [{"type": "m.login.password"}]})
    );
}
