//! `GET` and `POST /_matrix/client/v3/publicRooms` with the parameter `server`

use http::Method;
use myelin_testkit::{Peer, TestServer, three_modes, three_modes_federated};
use serde_json::{Value, json};

three_modes!(
    passes_on_what_is_asked,
    one_bad_room_spoils_nothing,
    takes_no_more_than_was_asked_for,
    tells_what_failed,
);
three_modes_federated!(shows_the_directory_of_another_server);

const PATH: &str = "/publicRooms?server=peer.example";
const QUERY: &str = "/_matrix/federation/v1/publicRooms";

fn room(name: &str) -> Value {
    json!({
        "room_id": format!("!{name}:peer.example"),
        "name": name,
        "num_joined_members": 3,
        "world_readable": true,
        "guest_can_join": false,
    })
}

async fn shows_the_directory_of_another_server(here: &TestServer, there: &TestServer) {
    let alice = here.user("alice").await;
    let bob = there.user("bob").await;
    for name in ["Tea", "Milk", "Sugar"] {
        let body = json!({"preset": "public_chat", "visibility": "public", "name": name});
        bob.create_room_with(body).await;
    }
    let path = "/publicRooms?server=there.example";
    // It is not shown unless the operator says so.
    alice.get(path).await.refused(403, "M_FORBIDDEN");
    there
        .restart_changed(|settings| settings.federation_api.public_rooms = true)
        .await;
    let whole = alice.get(path).await.ok();
    assert_eq!(whole["chunk"].as_array().unwrap().len(), 3);
    assert_eq!(whole["total_room_count_estimate"], 3);
    let mut names = Vec::new();
    let mut next = alice.get(&format!("{path}&limit=2")).await.ok();
    loop {
        let chunk = next["chunk"].as_array().unwrap();
        names.extend(chunk.iter().map(|room| room["name"].clone()));
        let Some(token) = next["next_batch"].as_str() else {
            break;
        };
        next = alice
            .get(&format!("{path}&limit=2&since={token}"))
            .await
            .ok();
    }
    names.sort_by_key(ToString::to_string);
    assert_eq!(names, ["Milk", "Sugar", "Tea"]);
    let filter = json!({"filter": {"generic_search_term": "mil"}});
    let found = alice.post(path, filter).await.ok();
    assert_eq!(found["chunk"][0]["name"], "Milk");
    assert_eq!(found["chunk"].as_array().unwrap().len(), 1);
}

async fn passes_on_what_is_asked(server: &TestServer) {
    let peer = Peer::start(server.network(), "peer.example");
    let alice = server.user("alice").await;
    for method in [Method::GET, Method::POST] {
        peer.answer(method, QUERY, |_| (200, json!({"chunk": [room("tea")]})));
    }
    let answer = alice.get(&format!("{PATH}&limit=7&since=abc")).await.ok();
    assert_eq!(answer, json!({"chunk": [room("tea")]}));
    let filter = json!({"generic_search_term": "tea", "room_types": [null, "m.space"]});
    let body = json!({"limit": 5, "filter": filter, "third_party_instance_id": "irc"});
    alice.post(PATH, body.clone()).await.ok();
    let [get, post] = &peer.received()[..] else {
        panic!("{:?}", peer.received())
    };
    assert_eq!(get.path, format!("{QUERY}?limit=7&since=abc"));
    assert_eq!(post.body, body);
}

async fn one_bad_room_spoils_nothing(server: &TestServer) {
    let peer = Peer::start(server.network(), "peer.example");
    let alice = server.user("alice").await;
    let mut bad = room("bad");
    bad["room_id"] = "nonsense".into();
    let mut more = room("more");
    more["secret"] = "kept from clients".into();
    let chunk = json!([1, bad, {}, room("tea"), more]);
    peer.answer(Method::GET, QUERY, move |_| {
        let tokens = ["a".repeat(2_000), "b".to_owned()];
        (
            200,
            json!({"chunk": chunk, "next_batch": tokens[0], "prev_batch": tokens[1]}),
        )
    });
    let answer = alice.get(PATH).await.ok();
    let expected = json!({"chunk": [room("tea"), room("more")], "prev_batch": "b"});
    assert_eq!(answer, expected);
}

async fn takes_no_more_than_was_asked_for(server: &TestServer) {
    let peer = Peer::start(server.network(), "peer.example");
    let alice = server.user("alice").await;
    peer.answer(Method::GET, QUERY, |_| {
        (200, json!({"chunk": vec![room("tea"); 3_000]}))
    });
    for (limit, count) in [("", 100), ("&limit=2", 2), ("&limit=5000", 1_000)] {
        let answer = alice.get(&format!("{PATH}{limit}")).await.ok();
        assert_eq!(answer["chunk"].as_array().unwrap().len(), count);
    }
}

async fn tells_what_failed(server: &TestServer) {
    let peer = Peer::start(server.network(), "peer.example");
    let alice = server.user("alice").await;
    for (status, body, shown) in [
        (200, json!({}), (502, "M_UNKNOWN")),
        (200, json!({"chunk": {}}), (502, "M_UNKNOWN")),
        (
            200,
            json!({"chunk": ["a".repeat(5_000_000)]}),
            (502, "M_UNKNOWN"),
        ),
        (400, json!({}), (400, "M_INVALID_PARAM")),
        (403, json!({}), (403, "M_FORBIDDEN")),
        (503, json!({}), (502, "M_UNKNOWN")),
    ] {
        peer.answer(Method::GET, QUERY, move |_| (status, body.clone()));
        let answer = alice.get(PATH).await;
        assert_eq!(answer.code(), shown, "{}", answer.text);
    }
    alice
        .get("/publicRooms?server=nowhere.example")
        .await
        .refused(502, "M_UNKNOWN");
    alice
        .get("/publicRooms?server=no%20name")
        .await
        .refused(400, "M_INVALID_PARAM");
}
