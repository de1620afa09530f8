//! `GET /_matrix/federation/v1/timestamp_to_event/{roomId}`

use std::time::Duration;

use myelin_testkit::{TestServer, covers, three_modes};
use serde_json::{Value, json};

use crate::serving::{Setting, path};

three_modes!(
    tells_the_nearest_event,
    only_servers_in_the_room_may_ask,
    shows_only_what_the_server_may_see,
    refuses_bad_parameters,
);

covers! {
    "GET /_matrix/federation/v1/timestamp_to_event/{roomId}":
        works = tells_the_nearest_event,
        400 = refuses_bad_parameters,
        403 = only_servers_in_the_room_may_ask,
        404 = tells_the_nearest_event,
        outsider = only_servers_in_the_room_may_ask;
}

fn at(room: &str, time: u64, direction: &str) -> String {
    let query = format!("?ts={time}&dir={direction}");
    path("timestamp_to_event", room, &query)
}

async fn tells_the_nearest_event(server: &TestServer) {
    let setting = Setting::new(server).await;
    let (peer, room) = (&setting.room.peer, &setting.room_id);
    server.clock().advance(Duration::from_hours(1));
    let one = (setting.alice.send(room, "one").await, server.now_ms());
    server.clock().advance(Duration::from_hours(1));
    let two = (setting.alice.send(room, "two").await, server.now_ms());
    for (time, direction, (event, sent)) in [
        (one.1 - 1, "f", &one),
        (one.1, "f", &one),
        (one.1, "b", &one),
        (one.1 + 1, "f", &two),
        (two.1 - 1, "b", &one),
        (two.1 + 1, "b", &two),
    ] {
        let told = peer.get(server, &at(room, time, direction)).await.ok();
        let expected = json!({"event_id": event, "origin_server_ts": sent});
        assert_eq!(told, expected, "{time} {direction}");
    }
    for (time, direction) in [(two.1 + 1, "f"), (1, "b")] {
        let answer = peer.get(server, &at(room, time, direction)).await;
        answer.refused(404, "M_NOT_FOUND");
    }
}

async fn only_servers_in_the_room_may_ask(server: &TestServer) {
    let setting = Setting::new(server).await;
    let path = at(&setting.room_id, server.now_ms(), "b");
    setting.keeps_others_out(server, &path, Value::Null).await;
    let unknown = at("!nowhere:localhost", 1, "f");
    let answer = setting.room.peer.get(server, &unknown).await;
    answer.refused(404, "M_NOT_FOUND");
}

async fn shows_only_what_the_server_may_see(server: &TestServer) {
    let joined = json!({"type": "m.room.history_visibility", "state_key": "",
        "content": {"history_visibility": "joined"}});
    let alice = server.user("alice").await;
    let body = json!({"preset": "public_chat", "initial_state": [joined]});
    let room_id = alice.create_room_with(body).await;
    server.clock().advance(Duration::from_hours(1));
    let hidden = alice.send(&room_id, "before").await;
    let before = server.now_ms();
    server.clock().advance(Duration::from_hours(1));
    let peer = myelin_testkit::Peer::start(server.network(), "peer.example");
    myelin_testkit::PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
    server.clock().advance(Duration::from_hours(1));
    let after = alice.send(&room_id, "after").await;
    let asked = at(&room_id, server.now_ms(), "f");
    assert_eq!(peer.get(server, &asked).await.ok()["event_id"], *after);
    let asked = at(&room_id, before, "b");
    // What was sent before the room was closed is shared history, as always.
    let told = peer.get(server, &asked).await.ok();
    assert_ne!(told["event_id"], *hidden);
    assert!(told["origin_server_ts"].as_u64().unwrap() < before);
    let asked = at(&room_id, before, "f");
    let told = peer.get(server, &asked).await.ok();
    assert_ne!(told["event_id"], *hidden);
    assert!(told["origin_server_ts"].as_u64().unwrap() > before);
}

async fn refuses_bad_parameters(server: &TestServer) {
    let setting = Setting::new(server).await;
    for query in ["?ts=now&dir=f", "?ts=-1&dir=f", "?ts=1&dir=up", "?ts=1"] {
        let path = path("timestamp_to_event", &setting.room_id, query);
        let answer = setting.room.peer.get(server, &path).await;
        assert_eq!(answer.status, 400, "{query}: {}", answer.text);
    }
}
