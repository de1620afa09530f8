//! What servers are told of the devices of a user who has joined a room.

use myelin_testkit::{Peer, PeerRoom, TestServer, User, encode, text, three_modes, wait_until};
use serde_json::{Value, json};

use crate::support::{arrives, log_in, shared_room, upload_device_keys};

three_modes! {
    who_meets_a_user_in_a_room_is_told_of_the_users_devices,
    who_lets_a_user_in_is_told_of_the_users_devices,
}

/// The updates that a peer took, in their order.
fn updates(peer: &Peer) -> Vec<Value> {
    let edus = peer.edus().into_iter();
    edus.filter(|edu| edu["edu_type"] == "m.device_list_update")
        .map(|edu| edu["content"].clone())
        .collect()
}

/// Waits until a peer was told of two devices that it has not heard of before, and of nothing else.
async fn told(peer: &Peer, user: &User) -> Vec<Value> {
    let both = async || updates(peer).len() >= 2;
    wait_until("the devices are told", both).await;
    let updates = updates(peer);
    let [phone, laptop] = &updates[..] else {
        panic!("two updates: {updates:#?}");
    };
    assert_eq!(phone["user_id"], user.id);
    assert_eq!(phone["device_id"], user.device);
    assert_eq!(phone["keys"], crate::support::device_keys(user));
    assert_eq!(phone["prev_id"], json!([]));
    assert_eq!(laptop["device_id"], "LAPTOP");
    assert_eq!(laptop["prev_id"], json!([phone["stream_id"]]));
    updates
}

/// A user with two devices that have keys, one without, and one that is gone.
async fn user(server: &TestServer) -> User {
    let phone = server.user("alice").await;
    upload_device_keys(&phone).await;
    for device in ["GONE", "LAPTOP", "BARE"] {
        let user = log_in(server, "alice", device).await;
        if device != "BARE" {
            upload_device_keys(&user).await;
        }
        if device == "GONE" {
            user.post("/logout", json!({})).await.ok();
        }
    }
    phone
}

async fn who_meets_a_user_in_a_room_is_told_of_the_users_devices(server: &TestServer) {
    let alice = user(server).await;
    let carol = server.user("carol").await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = shared_room(server, (&carol, &peer)).await;
    let other = carol.create_public_room().await;
    PeerRoom::joined(&peer, server, (&carol, &other), "dan").await;
    alice.join(room.id.as_str()).await.ok();
    let updates_before = told(&peer, &alice).await;
    // Neither another name nor another room of that server is a reason to say it again.
    let path = format!("/profile/{}/displayname", encode(&alice.id));
    alice.put(&path, json!({"displayname": "Alice"})).await.ok();
    alice.join(&other).await.ok();
    alice.send(&other, "a mark").await;
    arrives(&peer, "a mark").await;
    let renamed = async || {
        let pdus = peer.pdus();
        let is_renamed = |pdu: &Value| pdu["content"]["displayname"] == "Alice";
        pdus.iter()
            .any(|pdu| is_renamed(pdu) && pdu["room_id"] == room.id.as_str())
    };
    wait_until("the name arrives", renamed).await;
    assert_eq!(updates(&peer), updates_before);
    // What changes then goes on from there.
    upload_device_keys(&log_in(server, "alice", "BARE").await).await;
    let next = async || updates(&peer).len() == 3;
    wait_until("the next update arrives", next).await;
    let path = format!("/_matrix/federation/v1/user/devices/{}", encode(&alice.id));
    let list = peer.get(server, &path).await.ok();
    assert_eq!(list["stream_id"], updates(&peer)[2]["stream_id"]);
    // Who comes back may have missed something.
    for room in [room.id.as_str(), &*other] {
        alice.leave(room).await.ok();
    }
    alice.join(&other).await.ok();
    let again = async || updates(&peer).len() == 6;
    wait_until("all is told again", again).await;
}

async fn who_lets_a_user_in_is_told_of_the_users_devices(server: &TestServer) {
    let alice = user(server).await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = PeerRoom::create(&peer, "11", "bob");
    let id = room.id.to_string();
    room.serve();
    let path = format!("/join/{}?via=peer.example", encode(&id));
    let joined = alice.post(&path, json!({})).await.ok();
    assert_eq!(text(&joined, "room_id"), id);
    told(&peer, &alice).await;
}
