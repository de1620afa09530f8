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

/// What can be asked without a session.
const OPEN: [&str; 9] = [
    "GET /directory/room/{alias}",
    "GET /login",
    "GET /login/fallback",
    "GET /profile/{user}",
    "GET /profile/{user}/avatar_url",
    "GET /profile/{user}/displayname",
    "GET /register",
    "POST /login",
    "POST /register",
];

/// Method and path of each endpoint that needs a session, as the server routes it.
fn authenticated() -> Vec<(Method, String)> {
    let endpoints = myelin_client_api::endpoints_of_2014().into_iter();
    let ours = endpoints.filter_map(|(method, path)| {
        let path = path.strip_prefix("/_matrix/client/api/v1")?.to_owned();
        let is_open = OPEN.contains(&&*format!("{method} {path}"));
        (!is_open).then_some((method, path))
    });
    let filled = ours.map(|(method, path)| {
        let path = path
            .replace("{room}", "!room:localhost")
            .replace("{alias}", "%23alias:localhost")
            .replace("{user}", "@user:localhost")
            .replace(['{', '}'], "");
        (method, path)
    });
    let filled: Vec<_> = filled.collect();
    assert!(filled.len() > 20, "{filled:?}");
    filled
}

async fn asks_who_you_are_with_status_403(server: &TestServer) {
    for (method, path) in authenticated() {
        let answer = call(server, method.clone(), &path, "{}").await;
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
    for (method, path) in authenticated() {
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
