//! `POST /_matrix/federation/v1/get_missing_events/{roomId}`.

use myelin_testkit::{TestServer, covers, three_modes};
use serde_json::json;

use crate::serving::{Setting, bodies, path};

three_modes!(
    gives_what_lies_between,
    a_limit_and_a_depth_are_heeded,
    only_servers_in_the_room_may_ask,
    hidden_events_are_redacted
);

covers! {
    "POST /_matrix/federation/v1/get_missing_events/{roomId}":
        works = gives_what_lies_between,
        403 = only_servers_in_the_room_may_ask,
        outsider = only_servers_in_the_room_may_ask;
}

async fn sent(setting: &Setting, bodies: &[&str]) -> Vec<String> {
    let mut sent = Vec::new();
    for body in bodies {
        sent.push(setting.alice.send(&setting.room_id, body).await);
    }
    sent
}

async fn gives_what_lies_between(server: &TestServer) {
    let setting = Setting::new(server).await;
    let ids = sent(&setting, &["one", "two", "three", "four"]).await;
    let body = json!({"earliest_events": [ids[0]], "latest_events": [ids[3]], "limit": 9});
    let asked = path("get_missing_events", &setting.room_id, "");
    let answer = setting.room.peer.post(server, &asked, body).await.ok();
    assert_eq!(bodies(&answer["events"]), ["two", "three"]);
    assert_eq!(answer["events"].as_array().unwrap().len(), 2);
}

async fn a_limit_and_a_depth_are_heeded(server: &TestServer) {
    let setting = Setting::new(server).await;
    let ids = sent(&setting, &["one", "two", "three", "four"]).await;
    let asked = path("get_missing_events", &setting.room_id, "");
    let peer = &setting.room.peer;
    let body = json!({"earliest_events": [], "latest_events": [ids[3]], "limit": 2});
    let answer = peer.post(server, &asked, body).await.ok();
    assert_eq!(bodies(&answer["events"]), ["two", "three"]);
    let one = peer
        .get(server, &format!("/_matrix/federation/v1/event/{}", ids[2]))
        .await
        .ok();
    let depth = one["pdus"][0]["depth"].clone();
    let body = json!({"earliest_events": [], "latest_events": [ids[3]], "min_depth": depth});
    let answer = peer.post(server, &asked, body).await.ok();
    assert_eq!(bodies(&answer["events"]), ["three"]);
}

async fn only_servers_in_the_room_may_ask(server: &TestServer) {
    let setting = Setting::new(server).await;
    let ids = sent(&setting, &["one", "two"]).await;
    let body = json!({"earliest_events": [], "latest_events": ids});
    let asked = path("get_missing_events", &setting.room_id, "");
    setting.keeps_others_out(server, &asked, body).await;
}

/// Synapse 0.31.1: visibility on every read of the federation.
async fn hidden_events_are_redacted(server: &TestServer) {
    let invited = json!({"type": "m.room.history_visibility", "state_key": "",
        "content": {"history_visibility": "invited"}});
    let alice = server.user("alice").await;
    let body = json!({"preset": "public_chat", "initial_state": [invited]});
    let room_id = alice.create_room_with(body).await;
    alice.send(&room_id, "before").await;
    let peer = myelin_testkit::Peer::start(server.network(), "peer.example");
    myelin_testkit::PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
    let last = alice.send(&room_id, "after").await;
    let body = json!({"earliest_events": [], "latest_events": [last], "limit": 50});
    let answer = peer
        .post(server, &path("get_missing_events", &room_id, ""), body)
        .await
        .ok();
    assert_eq!(bodies(&answer["events"]), ["(redacted)"]);
}
