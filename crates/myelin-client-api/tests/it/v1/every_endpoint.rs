//! What holds for all endpoints of 2014: who is asking, browsers, curl, odd paths.

use http::{Method, Request};
use myelin_testkit::{TestServer, three_modes};
use serde_json::json;

use super::{call, get, post};

three_modes!(
    asks_who_you_are_with_status_403,
    lets_browsers_in,
    indents_for_curl_alone,
    answers_odd_paths_in_json,
    reads_no_token_twice,
);

/// Method and path of each endpoint that needs a session.
const AUTHENTICATED: [(Method, &str); 14] = [
    (Method::POST, "/createRoom"),
    (Method::PUT, "/createRoom/1"),
    (Method::POST, "/join/%23tutorial%3Alocalhost"),
    (Method::PUT, "/join/%23tutorial%3Alocalhost/1"),
    (Method::POST, "/rooms/!room:localhost/invite"),
    (Method::PUT, "/rooms/!room:localhost/invite/1"),
    (Method::POST, "/rooms/!room:localhost/join"),
    (Method::PUT, "/rooms/!room:localhost/join/1"),
    (Method::POST, "/rooms/!room:localhost/leave"),
    (Method::PUT, "/rooms/!room:localhost/leave/1"),
    (Method::POST, "/rooms/!room:localhost/send/m.room.message"),
    (Method::PUT, "/rooms/!room:localhost/send/m.room.message/1"),
    (Method::GET, "/initialSync"),
    (Method::GET, "/events"),
];

async fn asks_who_you_are_with_status_403(server: &TestServer) {
    for (method, path) in AUTHENTICATED {
        let answer = call(server, method.clone(), path, "{}").await;
        assert_eq!(answer.headers["access-control-allow-origin"], "*", "{path}");
        answer.refused(403, "M_FORBIDDEN");
        let answer = call(
            server,
            method,
            &format!("{path}?access_token=unheard-of"),
            "{}",
        )
        .await;
        answer.refused(403, "M_UNKNOWN_TOKEN");
    }
}

async fn lets_browsers_in(server: &TestServer) {
    for (method, path) in AUTHENTICATED {
        let preflight = Request::options(format!("/_matrix/client/api/v1{path}"))
            .header("Origin", "http://localhost:8000")
            .header("Access-Control-Request-Method", method.as_str())
            .header("Access-Control-Request-Headers", "content-type");
        let answer = server.call(preflight.body(String::new()).unwrap()).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.headers["access-control-allow-origin"], "*");
        let methods = answer.headers["access-control-allow-methods"]
            .to_str()
            .unwrap();
        assert!(
            methods.contains("POST") && methods.contains("PUT"),
            "{methods}"
        );
        let names = answer.headers["access-control-allow-headers"]
            .to_str()
            .unwrap();
        assert!(names.contains("Content-Type"), "{names}");
    }
}

async fn indents_for_curl_alone(server: &TestServer) {
    let indented = "{\n    \"flows\": [\n        {\n            \"type\": \"m.login.password\"\n";
    let answer = call(server, Method::GET, "/login", "").await;
    assert!(answer.text.starts_with(indented), "{}", answer.text);
    let answer = call(server, Method::GET, "/initialSync", "").await;
    assert!(
        answer.text.starts_with("{\n    \"errcode\""),
        "errors too: {}",
        answer.text
    );
    let answer = server.get("/_matrix/client/api/v1/login").await;
    assert_eq!(answer.text, "{\"flows\":[{\"type\":\"m.login.password\"}]}");
}

async fn answers_odd_paths_in_json(server: &TestServer) {
    let alice = server.user("alice").await;
    for path in ["/nonsense", "/rooms/x/send/m.room.message/1/2"] {
        let answer = post(server, &alice, path, json!({})).await;
        assert_eq!(answer.headers["access-control-allow-origin"], "*");
        answer.refused(404, "M_UNRECOGNIZED");
    }
    for path in ["/createRoom", "/rooms/!room:localhost/join"] {
        get(server, &alice, path)
            .await
            .refused(405, "M_UNRECOGNIZED");
    }
    // A page of 2014 makes the first when its table's header is clicked.
    for path in [
        "/rooms//join",
        "/rooms/nonsense/join",
        "/rooms/%23tea%3Alocalhost/leave",
    ] {
        post(server, &alice, path, json!({}))
            .await
            .refused(400, "M_INVALID_PARAM");
    }
}

async fn reads_no_token_twice(server: &TestServer) {
    let alice = server.user("alice").await;
    let path = format!(
        "/initialSync?access_token={0}&access_token={0}",
        alice.token
    );
    assert_eq!(call(server, Method::GET, &path, "").await.status, 400);
}
