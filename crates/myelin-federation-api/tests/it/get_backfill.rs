//! `GET /_matrix/federation/v1/backfill/{roomId}`.

use myelin_testkit::{TestServer, covers, encode, three_modes};
use serde_json::{Value, json};

use crate::serving::{Setting, bodies, path};

three_modes!(
    gives_the_history_newest_first,
    only_servers_in_the_room_may_ask,
    what_a_server_may_not_see_is_redacted,
    a_long_history_comes_in_pages
);

covers! {
    "GET /_matrix/federation/v1/backfill/{roomId}":
        works = gives_the_history_newest_first,
        403 = only_servers_in_the_room_may_ask,
        outsider = only_servers_in_the_room_may_ask;
}

async fn gives_the_history_newest_first(server: &TestServer) {
    let setting = Setting::new(server).await;
    let mut last = String::new();
    for body in ["one", "two", "three"] {
        last = setting.alice.send(&setting.room_id, body).await;
    }
    let rest = format!("?limit=2&v={}", encode(&last));
    let asked = path("backfill", &setting.room_id, &rest);
    let peer = &setting.room.peer;
    let answer = peer.get(server, &asked).await.ok();
    assert_eq!(bodies(&answer["pdus"]), ["three", "two"]);
    assert_eq!(answer["origin"], server.name());
    let rest = format!("?limit=100&v={}", encode(&last));
    let all = peer
        .get(server, &path("backfill", &setting.room_id, &rest))
        .await
        .ok();
    let first = all["pdus"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(first["type"], "m.room.create");
    // What nobody knows comes after nothing.
    let unknown = path("backfill", &setting.room_id, "?limit=9&v=$unknown");
    assert_eq!(peer.get(server, &unknown).await.ok()["pdus"], json!([]));
}

async fn only_servers_in_the_room_may_ask(server: &TestServer) {
    let setting = Setting::new(server).await;
    let event = setting.alice.send(&setting.room_id, "one").await;
    let rest = format!("?limit=2&v={}", encode(&event));
    let asked = path("backfill", &setting.room_id, &rest);
    setting.keeps_others_out(server, &asked, Value::Null).await;
    let nowhere = path("backfill", "!nowhere:localhost", &rest);
    setting
        .room
        .peer
        .get(server, &nowhere)
        .await
        .refused(404, "M_NOT_FOUND");
}

/// Synapse 0.33.2 (#3642) showed them.
async fn what_a_server_may_not_see_is_redacted(server: &TestServer) {
    let joined = json!({"type": "m.room.history_visibility", "state_key": "",
        "content": {"history_visibility": "joined"}});
    let alice = server.user("alice").await;
    let body = json!({"preset": "public_chat", "initial_state": [joined]});
    let room_id = alice.create_room_with(body).await;
    alice.send(&room_id, "before").await;
    let peer = myelin_testkit::Peer::start(server.network(), "peer.example");
    myelin_testkit::PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
    let last = alice.send(&room_id, "after").await;
    let rest = format!("?limit=100&v={}", encode(&last));
    let answer = peer
        .get(server, &path("backfill", &room_id, &rest))
        .await
        .ok();
    assert_eq!(bodies(&answer["pdus"]), ["after", "(redacted)"]);
}

async fn a_long_history_comes_in_pages(server: &TestServer) {
    let setting = Setting::new(server).await;
    let mut last = String::new();
    for n in 0..110 {
        last = setting.alice.send(&setting.room_id, &n.to_string()).await;
    }
    let rest = format!("?limit=1000000&v={}", encode(&last));
    let asked = path("backfill", &setting.room_id, &rest);
    let answer = setting.room.peer.get(server, &asked).await.ok();
    let wanted: Vec<String> = (10..110).rev().map(|n: i32| n.to_string()).collect();
    assert_eq!(bodies(&answer["pdus"]), wanted);
}
