//! `GET` and `POST /_matrix/client/api/v1/login`, `GET /_matrix/client/api/v1/login/fallback`

use http::Method;
use myelin_testkit::{PASSWORD, TestServer, three_modes};
use serde_json::json;

use super::call;

three_modes!(
    offers_passwords_first,
    logs_in_by_name_and_by_full_id,
    refuses_what_does_not_match,
    refuses_bodies_that_are_no_login,
    a_page_logs_in_without_the_api,
);

async fn offers_passwords_first(server: &TestServer) {
    let answer = call(server, Method::GET, "/login", "").await.ok();
    assert_eq!(answer["flows"][0]["type"], "m.login.password");
}

async fn logs_in_by_name_and_by_full_id(server: &TestServer) {
    server.user("alice").await;
    for user in ["alice", "@alice:localhost"] {
        let body = json!({"type": "m.login.password", "user": user, "password": PASSWORD});
        let answer = call(server, Method::POST, "/login", &body.to_string())
            .await
            .ok();
        assert_eq!(answer["user_id"], "@alice:localhost");
        assert_eq!(answer["home_server"], "localhost");
        server.user_from(&answer).get("/account/whoami").await.ok();
    }
}

async fn refuses_what_does_not_match(server: &TestServer) {
    server.user("alice").await;
    for (user, password) in [("alice", "wrong"), ("nobody", PASSWORD)] {
        let body = json!({"type": "m.login.password", "user": user, "password": password});
        let answer = call(server, Method::POST, "/login", &body.to_string()).await;
        answer.refused(403, "M_FORBIDDEN");
    }
}

async fn refuses_bodies_that_are_no_login(server: &TestServer) {
    for body in [
        "",
        "{",
        "[]",
        "{}",
        "{\"type\":\"m.login.unheard_of\"}",
        "{\"type\":\"m.login.password\",\"user\":\"alice\"}",
    ] {
        let answer = call(server, Method::POST, "/login", body).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
        assert!(answer.body["errcode"].is_string(), "{}", answer.text);
        assert_eq!(answer.headers["access-control-allow-origin"], "*");
    }
}

async fn a_page_logs_in_without_the_api(server: &TestServer) {
    let answer = call(server, Method::GET, "/login/fallback", "").await;
    assert_eq!(answer.status, 200);
    assert!(
        answer.headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/html")
    );
    for part in ["<form", "password", "/_matrix/static/client/login/login.js"] {
        assert!(answer.text.contains(part), "{part} in {}", answer.text);
    }
    let script = server.get("/_matrix/static/client/login/login.js").await;
    assert_eq!(script.status, 200);
    for callback in ["matrixLogin", "onLogin"] {
        assert!(script.text.contains(callback), "{}", script.text);
    }
}
