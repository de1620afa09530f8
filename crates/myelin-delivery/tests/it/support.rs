//! What these tests share.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use myelin_testkit::{PASSWORD, Peer, PeerRoom, TestServer, User, encode, text, wait_until};
use serde_json::{Value, json};

/// Longer than any pause before the next attempt.
pub(crate) const HOURS: Duration = Duration::from_hours(2);

/// A public room of a user, which a user of the peer has joined.
pub(crate) async fn shared_room(
    server: &TestServer,
    (alice, peer): (&User, &Arc<Peer>),
) -> PeerRoom {
    let room_id = alice.create_public_room().await;
    PeerRoom::joined(peer, server, (alice, &room_id), "bob").await
}

/// The texts of the messages that a peer was sent, in their order.
pub(crate) fn bodies(peer: &Peer) -> Vec<String> {
    let pdus = peer.pdus();
    let messages = pdus.iter().filter(|pdu| pdu["type"] == "m.room.message");
    messages.map(|pdu| text(&pdu["content"], "body")).collect()
}

/// Waits until a peer was sent a message with this text.
pub(crate) async fn arrives(peer: &Peer, body: &str) {
    let found = async || bodies(peer).iter().any(|found| found == body);
    wait_until(&format!("{body:?} arrives at {}", peer.server.name), found).await;
}

/// As [`arrives`], while time passes.
pub(crate) async fn arrives_in_time(server: &TestServer, peer: &Peer, body: &str) {
    let found = async || bodies(peer).iter().any(|found| found == body);
    let what = format!("{body:?} arrives at {}", peer.server.name);
    server.wait_while_time_passes(&what, found).await;
}

/// Waits until a peer was sent a member event about a user with this membership.
pub(crate) async fn member_arrives(peer: &Peer, user: &str, membership: &str) {
    let found = async || {
        peer.pdus()
            .iter()
            .any(|pdu| pdu["state_key"] == user && pdu["content"]["membership"] == membership)
    };
    wait_until(&format!("{membership} of {user} arrives"), found).await;
}

/// Waits until a peer was sent an EDU like this one.
pub(crate) async fn edu_arrives(peer: &Peer, what: &str, is: impl Fn(&Value) -> bool) {
    wait_until(what, async || peer.edus().iter().any(&is)).await;
}

/// Waits until a peer was asked to take that many transactions, whether it did or not.
pub(crate) async fn asked(peer: &Peer, times: usize) {
    let what = format!("{} was asked {times} times", peer.server.name);
    wait_until(&what, async || peer.transactions().len() >= times).await;
}

/// From now on the peer refuses every transaction as a server in trouble does.
pub(crate) fn refuse(peer: &Peer) {
    answer(
        peer,
        500,
        json!({"errcode": "M_UNKNOWN", "error": "trouble"}),
    );
}

/// From now on the peer takes every transaction.
pub(crate) fn take(peer: &Peer) {
    answer(peer, 200, json!({"pdus": {}}));
}

pub(crate) fn answer(peer: &Peer, status: u16, body: Value) {
    let path = "/_matrix/federation/v1/send/";
    peer.answer(http::Method::PUT, path, move |_| (status, body.clone()));
}

/// Fails if something was sent twice that the receiver would show twice: the same event is the
/// same event, but two events must not be one message.
pub(crate) fn assert_nothing_doubled(peer: &Peer) {
    let pdus = peer.pdus();
    let messages = pdus.iter().filter(|pdu| pdu["type"] == "m.room.message");
    let distinct: BTreeSet<String> = messages.map(Value::to_string).collect();
    let bodies: BTreeSet<String> = bodies(peer).into_iter().collect();
    assert_eq!(distinct.len(), bodies.len());
}

/// Identity keys of a device. Nobody looks at their signatures here.
pub(crate) fn device_keys(user: &User) -> Value {
    let device = &user.device;
    json!({
        "user_id": user.id,
        "device_id": device,
        "algorithms": ["m.olm.v1.curve25519-aes-sha2"],
        "keys": {format!("ed25519:{device}"): format!("key of {device}")},
        "signatures": {&user.id: {format!("ed25519:{device}"): "signature"}},
    })
}

pub(crate) async fn upload_device_keys(user: &User) {
    let body = json!({"device_keys": device_keys(user)});
    user.post("/keys/upload", body).await.ok();
}

/// Another device of a user.
pub(crate) async fn log_in(server: &TestServer, name: &str, device: &str) -> User {
    let body = json!({
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": name},
        "password": PASSWORD,
        "device_id": device,
    });
    let answer = server.post("/_matrix/client/v3/login", body).await.ok();
    server.user_from(&answer)
}

/// Sends a message to devices.
pub(crate) async fn send_to_device(user: &User, txn_id: &str, messages: Value) {
    let path = format!("/sendToDevice/org.example.note/{}", encode(txn_id));
    let body = json!({"messages": messages});
    user.put(&path, body).await.ok();
}
