//! EDUs that are sent.

use std::time::Duration;

use myelin_testkit::{Peer, TestServer, encode, three_modes, wait_until};
use serde_json::{Value, json};

use crate::support::{arrives, edu_arrives, shared_room};

three_modes! {
    typing_is_told_and_so_is_its_end,
    who_types_on_is_told_of_again,
    receipts_are_told_to_the_room,
    private_receipts_are_told_nobody,
    presence_is_told_to_who_shares_a_room,
    a_newcomer_is_told_who_is_there,
}

fn is_typing(edu: &Value, user: &str, typing: bool) -> bool {
    let content = &edu["content"];
    edu["edu_type"] == "m.typing" && content["user_id"] == user && content["typing"] == typing
}

fn presence_of(edu: &Value, user: &str) -> Option<String> {
    let users = edu["content"]["push"].as_array()?;
    let found = users.iter().find(|found| found["user_id"] == user)?;
    Some(found["presence"].as_str()?.to_owned())
}

async fn typing_is_told_and_so_is_its_end(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = shared_room(server, (&alice, &peer)).await;
    let lonely = alice.create_room().await;
    let path = |room: &str| format!("/rooms/{}/typing/{}", encode(room), encode(&alice.id));
    let typing = json!({"typing": true, "timeout": 60_000});
    alice.put(&path(&lonely), typing.clone()).await.ok();
    alice.put(&path(room.id.as_str()), typing).await.ok();
    edu_arrives(&peer, "typing arrives", |edu| {
        is_typing(edu, &alice.id, true)
    })
    .await;
    let path = path(room.id.as_str());
    alice.put(&path, json!({"typing": false})).await.ok();
    edu_arrives(&peer, "the end arrives", |edu| {
        is_typing(edu, &alice.id, false)
    })
    .await;
    let edus = peer.edus();
    let typing = edus.iter().filter(|edu| edu["edu_type"] == "m.typing");
    assert!(
        typing
            .clone()
            .all(|edu| edu["content"]["room_id"] == room.id.as_str())
    );
    assert_eq!(typing.count(), 2);
}

async fn who_types_on_is_told_of_again(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = shared_room(server, (&alice, &peer)).await;
    let path = format!(
        "/rooms/{}/typing/{}",
        encode(room.id.as_str()),
        encode(&alice.id)
    );
    alice
        .put(&path, json!({"typing": true, "timeout": 120_000}))
        .await
        .ok();
    let count = || {
        peer.edus()
            .iter()
            .filter(|edu| is_typing(edu, &alice.id, true))
            .count()
    };
    wait_until("typing arrives", async || count() == 1).await;
    // Saying it again and again is no news.
    for _ in 0..5 {
        alice
            .put(&path, json!({"typing": true, "timeout": 120_000}))
            .await
            .ok();
    }
    alice.send(room.id.as_str(), "a mark").await;
    arrives(&peer, "a mark").await;
    assert_eq!(count(), 1);
    server.clock().advance(Duration::from_secs(26));
    wait_until("it is told again", async || count() == 2).await;
}

async fn receipts_are_told_to_the_room(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let mut room = shared_room(server, (&alice, &peer)).await;
    let bob = room.user("bob");
    let event = room.message(&bob, "read me");
    room.receive(server, &event).await;
    let room_id = room.id.as_str();
    let path = format!(
        "/rooms/{}/receipt/m.read/{}",
        encode(room_id),
        encode(event.event_id.as_str())
    );
    alice.post(&path, json!({"thread_id": "main"})).await.ok();
    edu_arrives(&peer, "the receipt arrives", |edu| {
        edu["edu_type"] == "m.receipt"
    })
    .await;
    let edus = peer.edus();
    let receipt = edus
        .iter()
        .find(|edu| edu["edu_type"] == "m.receipt")
        .unwrap();
    let expected = json!({
        "event_ids": [event.event_id],
        "data": {"ts": server.now_ms(), "thread_id": "main"},
    });
    assert_eq!(receipt["content"][room_id]["m.read"][&alice.id], expected);
}

async fn private_receipts_are_told_nobody(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let mut room = shared_room(server, (&alice, &peer)).await;
    let bob = room.user("bob");
    let event = room.message(&bob, "read me");
    room.receive(server, &event).await;
    let room_id = room.id.as_str();
    let path = format!(
        "/rooms/{}/receipt/m.read.private/{}",
        encode(room_id),
        encode(event.event_id.as_str())
    );
    alice.post(&path, json!({})).await.ok();
    alice.send(room_id, "a mark").await;
    arrives(&peer, "a mark").await;
    assert!(!peer.edus().iter().any(|edu| edu["edu_type"] == "m.receipt"));
}

async fn presence_is_told_to_who_shares_a_room(server: &TestServer) {
    let alice = server.user("alice").await;
    let carol = server.user("carol").await;
    let peer = Peer::start(server.network(), "peer.example");
    shared_room(server, (&alice, &peer)).await;
    for user in [&carol, &alice] {
        let path = format!("/presence/{}/status", encode(&user.id));
        let status = json!({"presence": "online", "status_msg": "here"});
        user.put(&path, status).await.ok();
    }
    let is_online = |edu: &Value| presence_of(edu, &alice.id).as_deref() == Some("online");
    edu_arrives(&peer, "alice is online", is_online).await;
    let path = format!("/presence/{}/status", encode(&alice.id));
    alice.put(&path, json!({"presence": "offline"})).await.ok();
    let is_gone = |edu: &Value| presence_of(edu, &alice.id).as_deref() == Some("offline");
    edu_arrives(&peer, "alice is gone", is_gone).await;
    assert!(
        peer.edus()
            .iter()
            .all(|edu| presence_of(edu, &carol.id).is_none())
    );
}

async fn a_newcomer_is_told_who_is_there(server: &TestServer) {
    let alice = server.user("alice").await;
    let path = format!("/presence/{}/status", encode(&alice.id));
    alice.put(&path, json!({"presence": "online"})).await.ok();
    let first = Peer::start(server.network(), "first.example");
    let room = shared_room(server, (&alice, &first)).await;
    edu_arrives(&first, "the first is told", |edu| {
        presence_of(edu, &alice.id).is_some()
    })
    .await;
    let later = Peer::start(server.network(), "later.example");
    let room_id = room.id.as_str();
    myelin_testkit::PeerRoom::joined(&later, server, (&alice, room_id), "carol").await;
    edu_arrives(&later, "the newcomer is told", |edu| {
        presence_of(edu, &alice.id).is_some()
    })
    .await;
}
