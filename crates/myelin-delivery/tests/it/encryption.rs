//! What belongs to end-to-end encryption and is sent: messages to devices, changes of keys.

use std::collections::HashSet;

use myelin_testkit::{Peer, TestServer, User, encode, text, three_modes, wait_until};
use serde_json::{Value, json};

use crate::support::{
    arrives, arrives_in_time, asked, edu_arrives, log_in, refuse, send_to_device, shared_room,
    take, upload_device_keys,
};

three_modes! {
    messages_to_devices_reach_servers_without_a_shared_room,
    messages_to_devices_survive_a_restart_and_keep_their_order,
    many_messages_to_devices_wait_for_a_server_that_is_away,
    a_repeated_request_sends_once,
    changes_of_devices_are_told_one_after_the_other,
    cross_signing_keys_are_told,
    who_was_away_is_told_of_what_has_changed,
    strangers_are_told_nothing_of_devices,
}

/// The contents of the EDUs of a type that a peer took, in their order.
fn edus(peer: &Peer, edu_type: &str) -> Vec<Value> {
    let edus = peer.edus().into_iter();
    edus.filter(|edu| edu["edu_type"] == edu_type)
        .map(|edu| edu["content"].clone())
        .collect()
}

/// The messages that a peer took, in their order, each once: their ids tell.
fn messages(peer: &Peer) -> Vec<Value> {
    let mut known = HashSet::new();
    let mut messages = edus(peer, "m.direct_to_device");
    messages.retain(|edu| known.insert(text(edu, "message_id")));
    messages
}

/// The numbers in the messages to bob's phone.
fn numbers(peer: &Peer) -> Vec<u64> {
    let messages = messages(peer).into_iter();
    let number = |edu: Value| edu["messages"]["@bob:peer.example"]["PHONE"]["n"].as_u64();
    messages.map(|edu| number(edu).unwrap()).collect()
}

async fn send_number(user: &User, n: u64) {
    let to = json!({"@bob:peer.example": {"PHONE": {"n": n}}});
    send_to_device(user, &format!("txn{n}"), to).await;
}

async fn messages_to_devices_reach_servers_without_a_shared_room(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let other = Peer::start(server.network(), "other.example");
    let to = json!({
        "@bob:peer.example": {"PHONE": {"n": 1}, "LAPTOP": {"n": 2}},
        "@carol:peer.example": {"*": {"n": 3}},
        "@dan:other.example": {"D": {"n": 4}},
        &alice.id: {&alice.device: {"n": 5}},
    });
    send_to_device(&alice, "1", to.clone()).await;
    let is_message = |edu: &Value| edu["edu_type"] == "m.direct_to_device";
    edu_arrives(&peer, "the messages arrive", is_message).await;
    edu_arrives(&other, "the other's arrives", is_message).await;
    let [sent] = &messages(&peer)[..] else {
        panic!("one EDU");
    };
    assert_eq!(sent["sender"], alice.id);
    assert_eq!(sent["type"], "org.example.note");
    assert!(text(sent, "message_id").chars().count() <= 32);
    let mut expected = to;
    let expected = expected.as_object_mut().unwrap();
    expected.remove(&alice.id);
    let of_other = expected.remove("@dan:other.example");
    assert_eq!(sent["messages"], json!(expected));
    let [sent] = &messages(&other)[..] else {
        panic!("one EDU");
    };
    assert_eq!(sent["messages"], json!({"@dan:other.example": of_other}));
}

async fn messages_to_devices_survive_a_restart_and_keep_their_order(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    refuse(&peer);
    for n in 0..5 {
        send_number(&alice, n).await;
    }
    asked(&peer, 1).await;
    server.restart().await;
    for n in 5..10 {
        send_number(&alice, n).await;
    }
    take(&peer);
    let all = async || numbers(&peer).len() == 10;
    server.wait_while_time_passes("all arrive", all).await;
    assert_eq!(numbers(&peer), (0..10).collect::<Vec<_>>());
    // What has arrived waits no more.
    server.restart().await;
    send_number(&alice, 10).await;
    wait_until("one more arrives", async || numbers(&peer).len() == 11).await;
    let last = peer.transactions().pop().unwrap();
    let last = last.body["edus"].as_array().map(Vec::len);
    assert_eq!(last, Some(1));
}

async fn many_messages_to_devices_wait_for_a_server_that_is_away(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    server.network().set_cut_off("peer.example", true);
    // More than are kept in memory.
    for n in 0..620 {
        send_number(&alice, n).await;
    }
    server.network().set_cut_off("peer.example", false);
    let all = async || numbers(&peer).len() == 620;
    server.wait_while_time_passes("all arrive", all).await;
    assert_eq!(numbers(&peer), (0..620).collect::<Vec<_>>());
}

async fn a_repeated_request_sends_once(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    for n in [1, 1, 2, 1] {
        send_number(&alice, n).await;
    }
    send_number(&alice, 3).await;
    wait_until("the last arrives", async || numbers(&peer).contains(&3)).await;
    assert_eq!(numbers(&peer), [1, 2, 3]);
}

/// Waits for that many updates; each names the one before it.
async fn updates(peer: &Peer, count: usize) -> Vec<Value> {
    let edus = || edus(peer, "m.device_list_update");
    wait_until("the updates arrive", async || edus().len() >= count).await;
    let edus = edus();
    assert_eq!(edus.len(), count, "{edus:#?}");
    for pair in edus.windows(2) {
        assert_eq!(pair[1]["prev_id"], json!([pair[0]["stream_id"]]));
        assert!(pair[1]["stream_id"].as_i64() > pair[0]["stream_id"].as_i64());
    }
    edus
}

async fn changes_of_devices_are_told_one_after_the_other(server: &TestServer) {
    let phone = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    shared_room(server, (&phone, &peer)).await;
    upload_device_keys(&phone).await;
    let first = updates(&peer, 1).await.remove(0);
    let keys = crate::support::device_keys(&phone);
    assert_eq!(first["user_id"], phone.id);
    assert_eq!(first["device_id"], phone.device);
    assert_eq!(first["keys"], keys);
    assert_eq!(first["prev_id"], json!([]));
    let laptop = log_in(server, "alice", "LAPTOP").await;
    upload_device_keys(&laptop).await;
    assert_eq!(updates(&peer, 2).await[1]["device_id"], "LAPTOP");
    let path = format!("/devices/{}", encode(&phone.device));
    let name = json!({"display_name": "Phone"});
    phone.put(&path, name).await.ok();
    let renamed = updates(&peer, 3).await.remove(2);
    assert_eq!(renamed["device_display_name"], "Phone");
    assert_eq!(renamed["keys"], keys);
    laptop.post("/logout", json!({})).await.ok();
    let gone = updates(&peer, 4).await.remove(3);
    assert_eq!(gone["device_id"], "LAPTOP");
    assert_eq!((&gone["deleted"], gone.get("keys")), (&json!(true), None));
    // The list itself is of the same version.
    let path = format!("/_matrix/federation/v1/user/devices/{}", encode(&phone.id));
    let list = peer.get(server, &path).await.ok();
    assert_eq!(list["stream_id"], gone["stream_id"]);
}

async fn cross_signing_keys_are_told(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    shared_room(server, (&alice, &peer)).await;
    let public = "3C5BFWi2Y8MaVvjM8M22DBmh24PmgR0nPvJOIArzgyI";
    let key = json!({
        "user_id": alice.id,
        "usage": ["master"],
        "keys": {format!("ed25519:{public}"): public},
    });
    let body = json!({"master_key": key});
    alice.post("/keys/device_signing/upload", body).await.ok();
    let is_update = |edu: &Value| edu["edu_type"] == "m.signing_key_update";
    edu_arrives(&peer, "the key arrives", is_update).await;
    let expected = json!({"user_id": alice.id, "master_key": key});
    assert_eq!(edus(&peer, "m.signing_key_update"), [expected]);
}

async fn who_was_away_is_told_of_what_has_changed(server: &TestServer) {
    let phone = server.user("alice").await;
    let carol = server.user("carol").await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = shared_room(server, (&phone, &peer)).await;
    upload_device_keys(&phone).await;
    updates(&peer, 1).await;
    refuse(&peer);
    let before = peer.transactions().len();
    phone.send(room.id.as_str(), "nobody hears it").await;
    asked(&peer, before + 1).await;
    upload_device_keys(&carol).await;
    let laptop = log_in(server, "alice", "LAPTOP").await;
    upload_device_keys(&laptop).await;
    for name in ["one", "two"] {
        let path = format!("/devices/{}", encode(&phone.device));
        phone.put(&path, json!({"display_name": name})).await.ok();
    }
    server.restart().await;
    take(&peer);
    arrives_in_time(server, &peer, "nobody hears it").await;
    let updates = || edus(&peer, "m.device_list_update");
    wait_until("the updates arrive", async || updates().len() >= 3).await;
    let told: Vec<_> = updates()
        .iter()
        .map(|edu| (text(edu, "device_id"), edu["device_display_name"].clone()))
        .collect();
    let expected = [
        (phone.device.clone(), Value::Null),
        ("LAPTOP".to_owned(), Value::Null),
        (phone.device.clone(), json!("two")),
    ];
    assert_eq!(told, expected);
}

async fn strangers_are_told_nothing_of_devices(server: &TestServer) {
    let alice = server.user("alice").await;
    let carol = server.user("carol").await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = shared_room(server, (&alice, &peer)).await;
    upload_device_keys(&carol).await;
    alice.send(room.id.as_str(), "a mark").await;
    arrives(&peer, "a mark").await;
    upload_device_keys(&alice).await;
    let told = updates(&peer, 1).await;
    assert_eq!(told[0]["user_id"], alice.id);
}
