//! `GET /_matrix/client/v3/directory/room/{roomAlias}` for aliases of other servers

use http::Method;
use myelin_testkit::{Answer, Peer, TestServer, User, encode, three_modes, three_modes_federated};
use serde_json::{Value, json};

three_modes!(
    takes_servers_that_have_a_name,
    tells_what_failed,
    never_passes_on_what_would_log_out,
);
three_modes_federated!(finds_a_room_of_another_server);

const QUERY: &str = "/_matrix/federation/v1/query/directory";

async fn look(user: &User, alias: &str) -> Answer {
    user.get(&format!("/directory/room/{}", encode(alias)))
        .await
}

async fn finds_a_room_of_another_server(here: &TestServer, there: &TestServer) {
    let alice = here.user("alice").await;
    let bob = there.user("bob").await;
    let room = bob
        .create_room_with(json!({"preset": "public_chat", "room_alias_name": "tea"}))
        .await;
    let found = look(&alice, "#tea:there.example").await.ok();
    assert_eq!(
        found,
        json!({"room_id": room, "servers": ["there.example"]})
    );
    // The clients of 2014 ask elsewhere for the same.
    let path = "/_matrix/client/api/v1/directory/room/%23tea%3Athere.example";
    assert_eq!(here.get(path).await.ok(), found);
    look(&alice, "#milk:there.example")
        .await
        .refused(404, "M_NOT_FOUND");
}

async fn takes_servers_that_have_a_name(server: &TestServer) {
    let peer = Peer::start(server.network(), "peer.example");
    let alice = server.user("alice").await;
    peer.answer(Method::GET, QUERY, |_| {
        let servers = json!(["a.example", "no name!", "peer.example"]);
        (
            200,
            json!({"room_id": "!room:a.example", "servers": servers}),
        )
    });
    let found = look(&alice, "#tea:peer.example").await.ok();
    assert_eq!(found["servers"], json!(["peer.example", "a.example"]));
    let asked = peer.received().remove(0).path;
    assert_eq!(asked, format!("{QUERY}?room_alias=%23tea%3Apeer.example"));
}

async fn tells_what_failed(server: &TestServer) {
    let peer = Peer::start(server.network(), "peer.example");
    let alice = server.user("alice").await;
    let room = json!("!room:peer.example");
    let long = "a".repeat(100_000);
    for (status, body) in [
        (200, json!({"room_id": "nonsense", "servers": []})),
        (200, json!({"servers": []})),
        (200, json!([])),
        (200, Value::Null),
        (200, json!({"room_id": room, "servers": [], "long": long})),
        (500, json!({"errcode": "M_UNKNOWN", "error": "Oh no"})),
    ] {
        peer.answer(Method::GET, QUERY, move |_| (status, body.clone()));
        let answer = look(&alice, "#tea:peer.example").await;
        let message = answer.refused(502, "M_UNKNOWN");
        assert!(message.contains("peer.example"), "{message}");
    }
    let message = look(&alice, "#tea:nowhere.example")
        .await
        .refused(502, "M_UNKNOWN");
    assert!(message.contains("nowhere.example"), "{message}");
}

async fn never_passes_on_what_would_log_out(server: &TestServer) {
    let peer = Peer::start(server.network(), "peer.example");
    let alice = server.user("alice").await;
    for (status, shown) in [
        (401, (502, "M_UNKNOWN")),
        (403, (403, "M_FORBIDDEN")),
        (404, (404, "M_NOT_FOUND")),
        (429, (502, "M_UNKNOWN")),
    ] {
        let body = json!({"errcode": "M_UNKNOWN_TOKEN", "error": "Go away", "soft_logout": true});
        peer.answer(Method::GET, QUERY, move |_| (status, body.clone()));
        let answer = look(&alice, "#tea:peer.example").await;
        assert_eq!(answer.code(), shown, "{}", answer.text);
        assert!(answer.body.get("soft_logout").is_none());
    }
}
