//! `GET /_matrix/client/v3/profile/{userId}` and `…/{keyName}` for users of other servers

use std::time::Duration;

use http::Method;
use myelin_testkit::{Answer, Peer, TestServer, encode, three_modes, three_modes_federated};
use serde_json::{Value, json};

three_modes!(
    asks_again_only_after_minutes,
    shows_only_what_makes_sense,
    tells_what_failed,
);
three_modes_federated!(shows_users_of_another_server);

const QUERY: &str = "/_matrix/federation/v1/query/profile";

async fn look(server: &TestServer, user: &str, rest: &str) -> Answer {
    let path = format!("/_matrix/client/v3/profile/{}{rest}", encode(user));
    server.get(&path).await
}

async fn shows_users_of_another_server(here: &TestServer, there: &TestServer) {
    let bob = there.user("bob").await;
    let path = format!("/profile/{}/displayname", encode(&bob.id));
    bob.put(&path, json!({"displayname": "Bob"})).await.ok();
    let name = json!({"displayname": "Bob"});
    assert_eq!(look(here, &bob.id, "").await.ok(), name);
    assert_eq!(look(here, &bob.id, "/displayname").await.ok(), name);
    look(here, &bob.id, "/avatar_url")
        .await
        .refused(404, "M_NOT_FOUND");
    look(here, "@nobody:there.example", "")
        .await
        .refused(404, "M_NOT_FOUND");
}

async fn asks_again_only_after_minutes(server: &TestServer) {
    let peer = Peer::start(server.network(), "peer.example");
    let answer_with = |name: &'static str| {
        peer.answer(Method::GET, QUERY, move |_| {
            (200, json!({"displayname": name}))
        });
    };
    answer_with("Bob");
    let shown = async || {
        let mut shown = Vec::new();
        // Both nodes.
        for _ in 0..4 {
            let profile = look(server, "@bob:peer.example", "").await.ok();
            shown.push(profile["displayname"].as_str().unwrap().to_owned());
        }
        shown
    };
    assert_eq!(shown().await, ["Bob"; 4]);
    answer_with("Robert");
    assert_eq!(shown().await, ["Bob"; 4]);
    assert_eq!(peer.received().len(), server.stores().len());
    server.clock().advance(Duration::from_mins(6));
    assert_eq!(shown().await, ["Robert"; 4]);
}

async fn shows_only_what_makes_sense(server: &TestServer) {
    let peer = Peer::start(server.network(), "peer.example");
    let told = json!({
        "displayname": "a".repeat(257),
        "avatar_url": "https://tracker.example/pixel.png",
        "m.tz": "Europe/London",
        "Not A Key": 1,
        "errcode": "M_UNKNOWN_TOKEN",
    });
    peer.answer(Method::GET, QUERY, move |_| (200, told.clone()));
    let shown = look(server, "@bob:peer.example", "").await.ok();
    assert_eq!(shown, json!({"m.tz": "Europe/London"}));
}

async fn tells_what_failed(server: &TestServer) {
    let peer = Peer::start(server.network(), "peer.example");
    for (status, body, shown) in [
        (200, json!(["no object"]), (502, "M_UNKNOWN")),
        (200, Value::Null, (502, "M_UNKNOWN")),
        (200, json!({"x.y": "a".repeat(200_000)}), (502, "M_UNKNOWN")),
        (403, json!({}), (403, "M_FORBIDDEN")),
        (500, json!({}), (502, "M_UNKNOWN")),
    ] {
        peer.answer(Method::GET, QUERY, move |_| (status, body.clone()));
        let answer = look(server, "@bob:peer.example", "").await;
        assert_eq!(answer.code(), shown, "{}", answer.text);
        assert!(!answer.error().is_empty());
    }
    look(server, "@bob:nowhere.example", "")
        .await
        .refused(502, "M_UNKNOWN");
    // What failed is not remembered.
    peer.answer(Method::GET, QUERY, |_| (200, json!({"displayname": "Bob"})));
    look(server, "@bob:peer.example", "").await.ok();
}
