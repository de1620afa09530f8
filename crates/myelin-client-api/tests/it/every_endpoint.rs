//! What holds for all endpoints: who is asking, unknown paths, browsers, `/health`.

use http::{Method, Request};
use myelin_testkit::{Answer, TestServer, encode, three_modes};
use serde_json::json;

three_modes!(
    asks_who_you_are,
    takes_the_token_from_the_query_too,
    does_not_know_other_paths_and_methods,
    lets_browsers_in,
    refuses_bodies_above_the_limit,
    is_healthy,
);

/// Method and path of each endpoint that needs a session.
const AUTHENTICATED: [(Method, &str); 9] = [
    (Method::GET, "/_matrix/client/v3/account/whoami"),
    (Method::POST, "/_matrix/client/v3/createRoom"),
    (Method::POST, "/_matrix/client/v3/join/!room:localhost"),
    (
        Method::POST,
        "/_matrix/client/v3/rooms/!room:localhost/join",
    ),
    (
        Method::PUT,
        "/_matrix/client/v3/rooms/!room:localhost/send/m.room.message/1",
    ),
    (
        Method::PUT,
        "/_matrix/client/v3/rooms/!room:localhost/state/m.room.topic/",
    ),
    (
        Method::GET,
        "/_matrix/client/v3/rooms/!room:localhost/state",
    ),
    (
        Method::GET,
        "/_matrix/client/v3/rooms/!room:localhost/messages?dir=b",
    ),
    (Method::GET, "/_matrix/client/v3/sync"),
];

async fn asks_who_you_are(server: &TestServer) {
    for (method, path) in AUTHENTICATED {
        let request = Request::builder().method(&method).uri(path);
        let answer = server.call(request.body("{}".to_owned()).unwrap()).await;
        answer.refused(401, "M_MISSING_TOKEN");
        for token in ["unheard of", "", "\u{e4}"] {
            let request = Request::builder()
                .method(&method)
                .uri(path)
                .header("Authorization", format!("Bearer {token}").as_bytes());
            let answer = server.call(request.body("{}".to_owned()).unwrap()).await;
            assert_eq!(answer.status, 401, "{path} with {token:?}: {}", answer.text);
        }
    }
}

async fn takes_the_token_from_the_query_too(server: &TestServer) {
    let alice = server.user("alice").await;
    let path = format!(
        "/_matrix/client/v3/account/whoami?access_token={}",
        encode(&alice.token)
    );
    server.get(&path).await.ok();
    let path = "/_matrix/client/v3/account/whoami?access_token=unheard-of";
    server.get(path).await.refused(401, "M_UNKNOWN_TOKEN");
}

async fn does_not_know_other_paths_and_methods(server: &TestServer) {
    for path in [
        "/_matrix",
        "/_myelin",
        "/_matrix/client/v3/nonsense",
        "/_matrix/client/v9/sync",
    ] {
        server.get(path).await.refused(404, "M_UNRECOGNIZED");
        server
            .post(path, json!({}))
            .await
            .refused(404, "M_UNRECOGNIZED");
    }
    for path in [
        "/_matrix/client/v3/account/whoami",
        "/_matrix/client/versions",
    ] {
        server
            .post(path, json!({}))
            .await
            .refused(405, "M_UNRECOGNIZED");
    }
}

async fn lets_browsers_in(server: &TestServer) {
    let open = |answer: &Answer| {
        let header = |name: &str| {
            answer
                .headers
                .get(name)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!(header("access-control-allow-origin"), "*");
        for method in ["GET", "POST", "PUT", "DELETE", "OPTIONS"] {
            assert!(header("access-control-allow-methods").contains(method));
        }
        for name in ["X-Requested-With", "Content-Type", "Authorization"] {
            assert!(header("access-control-allow-headers").contains(name));
        }
    };
    for path in [
        "/_matrix/client/versions",
        "/_matrix/client/v3/sync",
        "/nonsense",
    ] {
        open(&server.get(path).await);
        let preflight = Request::options(path)
            .header("Origin", "https://client.example")
            .header("Access-Control-Request-Method", "PUT");
        let answer = server.call(preflight.body(String::new()).unwrap()).await;
        assert_eq!(answer.status, 200);
        open(&answer);
    }
}

async fn refuses_bodies_above_the_limit(server: &TestServer) {
    let alice = server.user("alice").await;
    let body = json!({"name": "a".repeat(20_000_000)});
    alice
        .post("/createRoom", body)
        .await
        .refused(413, "M_TOO_LARGE");
}

async fn is_healthy(server: &TestServer) {
    server.get("/health").await.ok();
}
