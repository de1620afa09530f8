//! `GET /_matrix/client/v1/rooms/{roomId}/timestamp_to_event` where others know more of the room

use http::Method;
use myelin_testkit::{Answer, Peer, PeerRoom, TestServer, User, encode, three_modes};
use serde_json::json;

three_modes!(
    asks_the_servers_in_the_room,
    believes_no_event_of_another_time,
    asks_for_members_alone,
);

const QUERY: &str = "/_matrix/federation/v1/timestamp_to_event/";

async fn near(user: &User, room: &str, query: &str) -> Answer {
    let path = format!(
        "/_matrix/client/v1/rooms/{}/timestamp_to_event?{query}",
        encode(room)
    );
    user.get(&path).await
}

async fn asks_the_servers_in_the_room(server: &TestServer) {
    let peer = Peer::start(server.network(), "peer.example");
    let alice = server.user("alice").await;
    let room = alice.create_public_room().await;
    near(&alice, &room, "ts=1000&dir=b")
        .await
        .refused(404, "M_NOT_FOUND");
    PeerRoom::joined(&peer, server, (&alice, &room), "bob").await;
    near(&alice, &room, "ts=1000&dir=b")
        .await
        .refused(404, "M_NOT_FOUND");
    let told = json!({"event_id": "$old", "origin_server_ts": 900});
    let answer = told.clone();
    peer.answer(Method::GET, QUERY, move |_| (200, answer.clone()));
    let found = near(&alice, &room, "ts=1000&dir=b").await.ok();
    assert_eq!(found, told);
    let mut asked = peer.received();
    // It is fetched, so that it can be read from there.
    let fetched = asked.pop().unwrap().path;
    assert_eq!(fetched, "/_matrix/federation/v1/event/$old");
    let asked = asked.pop().unwrap().path;
    assert!(asked.ends_with("?ts=1000&dir=b"), "{asked}");
    // What is known here is not asked for.
    let before = peer.received().len();
    near(&alice, &room, "ts=1000&dir=f").await.ok();
    assert_eq!(peer.received().len(), before);
}

async fn believes_no_event_of_another_time(server: &TestServer) {
    let peer = Peer::start(server.network(), "peer.example");
    let alice = server.user("alice").await;
    let room = alice.create_public_room().await;
    PeerRoom::joined(&peer, server, (&alice, &room), "bob").await;
    for told in [
        json!({"event_id": "$old", "origin_server_ts": 1_001}),
        json!({"event_id": "no id", "origin_server_ts": 900}),
        json!({"event_id": "$old", "origin_server_ts": -1}),
        json!({"event_id": "$old"}),
        json!([]),
    ] {
        peer.answer(Method::GET, QUERY, move |_| (200, told.clone()));
        near(&alice, &room, "ts=1000&dir=b")
            .await
            .refused(404, "M_NOT_FOUND");
    }
}

async fn asks_for_members_alone(server: &TestServer) {
    let peer = Peer::start(server.network(), "peer.example");
    let alice = server.user("alice").await;
    let carol = server.user("carol").await;
    let room = alice.create_public_room().await;
    PeerRoom::joined(&peer, server, (&alice, &room), "bob").await;
    carol.join(&room).await.ok();
    carol.leave(&room).await.ok();
    peer.answer(Method::GET, QUERY, |_| {
        (200, json!({"event_id": "$old", "origin_server_ts": 900}))
    });
    near(&carol, &room, "ts=1000&dir=b")
        .await
        .refused(404, "M_NOT_FOUND");
    assert_eq!(peer.received().len(), 0);
}
