//! What belongs to end-to-end encryption and is received.

use std::sync::Arc;

use myelin_testkit::{Peer, PeerRoom, TestServer, User, text, three_modes};
use serde_json::{Value, json};

use crate::support::{log_in, shared_room};

three_modes! {
    messages_reach_the_devices_that_they_are_for,
    messages_that_come_again_are_shown_once,
    messages_of_somebody_elses_users_are_not_believed,
    malformed_messages_are_dropped_alone,
    changed_devices_are_told_to_who_shares_a_room,
    devices_of_strangers_and_of_somebody_elses_users_are_told_nobody,
}

fn peer(server: &TestServer) -> Arc<Peer> {
    Peer::start(server.network(), "peer.example")
}

fn message(id: &str, sender: &str, messages: &Value) -> Value {
    json!({"edu_type": "m.direct_to_device", "content": {
        "sender": sender,
        "type": "org.example.note",
        "message_id": id,
        "messages": messages,
    }})
}

fn events(sync: &Value) -> Vec<Value> {
    let events = sync["to_device"]["events"].as_array();
    events.cloned().unwrap_or_default()
}

async fn numbers(user: &User) -> Vec<u64> {
    let sync = user.sync(None).await;
    let events = events(&sync).into_iter();
    events
        .map(|event| event["content"]["n"].as_u64().unwrap())
        .collect()
}

const BOB: &str = "@bob:peer.example";

async fn messages_reach_the_devices_that_they_are_for(server: &TestServer) {
    let peer = peer(server);
    let phone = server.user("alice").await;
    let laptop = log_in(server, "alice", "LAPTOP").await;
    let messages = json!({
        &phone.id: {"*": {"n": 1}, "LAPTOP": {"n": 2}, "NONE": {"n": 3}},
        "@carol:elsewhere.example": {"*": {"n": 4}},
    });
    let edus = vec![message("one", BOB, &messages)];
    peer.transaction(server, vec![], edus).await.ok();
    let expected = json!({
        "sender": BOB,
        "type": "org.example.note",
        "content": {"n": 1},
    });
    assert_eq!(events(&phone.sync(None).await), [expected]);
    assert_eq!(numbers(&laptop).await, [2]);
}

async fn messages_that_come_again_are_shown_once(server: &TestServer) {
    let peer = peer(server);
    let other = Peer::start(server.network(), "other.example");
    let alice = server.user("alice").await;
    let to_alice = |n: u64| json!({&alice.id: {&alice.device: {"n": n}}});
    for (id, n) in [("one", 1), ("two", 2), ("one", 1), ("three", 3), ("two", 2)] {
        let edus = vec![message(id, BOB, &to_alice(n))];
        peer.transaction(server, vec![], edus).await.ok();
    }
    // The ids are those of one server.
    let edus = vec![message("one", "@bob:other.example", &to_alice(4))];
    other.transaction(server, vec![], edus).await.ok();
    assert_eq!(numbers(&alice).await, [1, 2, 3, 4]);
    server.restart().await;
    let edus = [("three", 3), ("five", 5), ("six", 6)];
    let edus = edus.map(|(id, n)| message(id, BOB, &to_alice(n)));
    peer.transaction(server, vec![], edus.to_vec()).await.ok();
    assert_eq!(numbers(&alice).await, [1, 2, 3, 4, 5, 6]);
}

async fn messages_of_somebody_elses_users_are_not_believed(server: &TestServer) {
    let peer = peer(server);
    let alice = server.user("alice").await;
    let messages = json!({&alice.id: {"*": {"n": 1}}});
    let senders = ["@carol:elsewhere.example", &alice.id, "nonsense", ""];
    let edus = senders.map(|sender| message(sender, sender, &messages));
    peer.transaction(server, vec![], edus.to_vec()).await.ok();
    assert_eq!(numbers(&alice).await, [0; 0]);
}

async fn malformed_messages_are_dropped_alone(server: &TestServer) {
    let peer = peer(server);
    let alice = server.user("alice").await;
    let mixed = json!({
        "nonsense": {"*": {"n": 1}},
        "@dan:localhost": 5,
        &alice.id: {"A": 5, "B": [], &alice.device: {"n": 2}},
    });
    let large = json!({&alice.id: {"*": {"text": "x".repeat(70_000)}}});
    let good = json!({&alice.id: {"*": {"n": 3}}});
    let mut edus = vec![
        json!({"edu_type": "m.direct_to_device", "content": {"sender": BOB}}),
        json!({"edu_type": "m.direct_to_device", "content": 5}),
        message(&"x".repeat(200), BOB, &good),
        message("large", BOB, &large),
        message("mixed", BOB, &mixed),
    ];
    let mut wrong = message("wrong", BOB, &good);
    wrong["content"]["messages"] = json!([]);
    edus.push(wrong);
    edus.push(message("good", BOB, &good));
    peer.transaction(server, vec![], edus).await.ok();
    assert_eq!(numbers(&alice).await, [2, 3]);
}

fn update(edu_type: &str, user: &str) -> Value {
    json!({"edu_type": edu_type, "content": {
        "user_id": user,
        "device_id": "PHONE",
        "stream_id": 7,
        "prev_id": [6],
        "keys": "not looked at",
    }})
}

async fn changed_devices_are_told_to_who_shares_a_room(server: &TestServer) {
    let peer = peer(server);
    let alice = server.user("alice").await;
    let carol = server.user("carol").await;
    let room: PeerRoom = shared_room(server, (&alice, &peer)).await;
    let bob = room.user("bob");
    for edu_type in ["m.device_list_update", "m.signing_key_update"] {
        let since = text(&alice.sync(None).await, "next_batch");
        let carols = text(&carol.sync(None).await, "next_batch");
        let edus = vec![update(edu_type, bob.as_str())];
        let (sync, _) = tokio::join!(
            alice.sync_waiting(&since, 60_000),
            peer.transaction(server, vec![], edus)
        );
        assert_eq!(sync["device_lists"]["changed"], json!([bob]), "{edu_type}");
        let sync = carol.sync(Some(&carols)).await;
        assert_eq!(
            sync["device_lists"]["changed"]
                .as_array()
                .map_or(0, Vec::len),
            0
        );
    }
}

async fn devices_of_strangers_and_of_somebody_elses_users_are_told_nobody(server: &TestServer) {
    let peer = peer(server);
    let other = Peer::start(server.network(), "other.example");
    let alice = server.user("alice").await;
    let room: PeerRoom = shared_room(server, (&alice, &peer)).await;
    let bob = room.user("bob");
    let since = text(&alice.sync(None).await, "next_batch");
    let edus = |users: &[&str]| {
        let edus = users
            .iter()
            .map(|user| update("m.device_list_update", user));
        edus.collect::<Vec<_>>()
    };
    let of_other = edus(&[bob.as_str(), "@eve:other.example"]);
    other.transaction(server, vec![], of_other).await.ok();
    let of_peer = edus(&[&alice.id, "@eve:peer.example", "nonsense"]);
    peer.transaction(server, vec![], of_peer).await.ok();
    let sync = alice.sync(Some(&since)).await;
    assert_eq!(
        sync["device_lists"]["changed"]
            .as_array()
            .map_or(0, Vec::len),
        0
    );
}
