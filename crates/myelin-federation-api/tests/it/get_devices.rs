//! `GET /_matrix/federation/v1/user/devices/{userId}`, and
//! `POST /_matrix/federation/v1/user/keys/query` and `…/claim`

use std::{collections::BTreeMap, sync::Arc};

use myelin_testkit::{Answer, Peer, PeerRoom, TestServer, User, covers, encode, three_modes};
use serde_json::{Value, json};

three_modes!(
    lists_devices_that_have_keys,
    device_queries_need_a_shared_room,
    names_of_devices_are_told_in_shared_rooms_alone,
    keys_are_claimed_once_and_then_the_fallback_key,
    refuses_bad_requests,
);

covers! {
    "GET /_matrix/federation/v1/user/devices/{userId}":
        works = lists_devices_that_have_keys,
        400 = refuses_bad_requests,
        403 = device_queries_need_a_shared_room;
    "POST /_matrix/federation/v1/user/keys/query":
        works = lists_devices_that_have_keys,
        400 = refuses_bad_requests;
    "POST /_matrix/federation/v1/user/keys/claim":
        works = keys_are_claimed_once_and_then_the_fallback_key,
        400 = refuses_bad_requests;
}

const QUERY: &str = "/_matrix/federation/v1/user/keys/query";
const CLAIM: &str = "/_matrix/federation/v1/user/keys/claim";

fn peer(server: &TestServer) -> Arc<Peer> {
    Peer::start(server.network(), "peer.example")
}

async fn devices(peer: &Peer, server: &TestServer, user: &str) -> Answer {
    let path = format!("/_matrix/federation/v1/user/devices/{}", encode(user));
    peer.get(server, &path).await
}

async fn lists_devices_that_have_keys(server: &TestServer) {
    let peer = peer(server);
    let alice = server.user("alice").await;
    let room = alice.create_public_room().await;
    PeerRoom::joined(&peer, server, (&alice, &room), "bob").await;
    let told = devices(&peer, server, &alice.id).await.ok();
    let none = json!({"user_id": alice.id, "stream_id": 0, "devices": []});
    assert_eq!(told, none);
    let query = json!({"device_keys": {&alice.id: []}});
    let told = peer.post(server, QUERY, query.clone()).await.ok();
    assert_eq!(told, queried(&json!({&alice.id: {}})));
    let keys = device_keys(&alice);
    let body = json!({"device_keys": keys});
    alice.post("/keys/upload", body).await.ok();
    let name = json!({"display_name": "Phone"});
    let path = format!("/devices/{}", encode(&alice.device));
    alice.put(&path, name).await.ok();
    let master = master_key(&alice);
    let body = json!({"master_key": master});
    alice.post("/keys/device_signing/upload", body).await.ok();
    let mut shown = keys.clone();
    shown["unsigned"] = json!({"device_display_name": "Phone"});
    let expected = json!({
        "device_keys": {&alice.id: {&alice.device: shown}},
        "master_keys": {&alice.id: master},
        "self_signing_keys": {},
    });
    assert_eq!(peer.post(server, QUERY, query).await.ok(), expected);
    for (wanted, count) in [(alice.device.as_str(), 1), ("OTHER", 0)] {
        let body = json!({"device_keys": {&alice.id: [wanted]}});
        let told = peer.post(server, QUERY, body).await.ok();
        let found = told["device_keys"][&alice.id].as_object();
        assert_eq!(found.map(serde_json::Map::len), Some(count));
    }
    let told = devices(&peer, server, &alice.id).await.ok();
    assert!(told["stream_id"].as_i64() > Some(0));
    let device = json!({
        "device_id": alice.device,
        "keys": keys,
        "device_display_name": "Phone",
    });
    assert_eq!(told["devices"], json!([device]));
    assert_eq!(told["master_key"], master);
}

/// What is answered to a query where there are no cross-signing keys.
fn queried(device_keys: &Value) -> Value {
    json!({"device_keys": device_keys, "master_keys": {}, "self_signing_keys": {}})
}

/// Identity keys of a device. Nobody looks at their signatures here.
fn device_keys(user: &User) -> Value {
    let device = &user.device;
    json!({
        "user_id": user.id,
        "device_id": device,
        "algorithms": ["m.olm.v1.curve25519-aes-sha2"],
        "keys": {format!("ed25519:{device}"): "key"},
        "signatures": {&user.id: {format!("ed25519:{device}"): "signature"}},
    })
}

fn master_key(user: &User) -> Value {
    let public = "3C5BFWi2Y8MaVvjM8M22DBmh24PmgR0nPvJOIArzgyI";
    json!({
        "user_id": user.id,
        "usage": ["master"],
        "keys": {format!("ed25519:{public}"): public},
    })
}

/// CVE-2023-45129 and its kind: who lives here, and with which devices, is not for everybody.
async fn device_queries_need_a_shared_room(server: &TestServer) {
    let peer = peer(server);
    let alice = server.user("alice").await;
    let carol = server.user("carol").await;
    let room = alice.create_public_room().await;
    let of_others = "@bob:peer.example";
    let users = [&*alice.id, "@nobody:localhost", of_others, &*carol.id];
    for user in users {
        devices(&peer, server, user)
            .await
            .refused(403, "M_FORBIDDEN");
    }
    PeerRoom::joined(&peer, server, (&alice, &room), "bob").await;
    devices(&peer, server, &alice.id).await.ok();
    devices(&peer, server, &carol.id)
        .await
        .refused(403, "M_FORBIDDEN");
    // It ends with the room.
    alice.leave(&room).await.ok();
    devices(&peer, server, &alice.id)
        .await
        .refused(403, "M_FORBIDDEN");
}

/// Who begins an encrypted talk needs the keys before. Of users of other servers, and of those that
/// there are not, nothing is told.
async fn names_of_devices_are_told_in_shared_rooms_alone(server: &TestServer) {
    let peer = peer(server);
    let alice = server.user("alice").await;
    let carol = server.user("carol").await;
    let room = alice.create_public_room().await;
    let keys = device_keys(&alice);
    let body = json!({"device_keys": keys});
    alice.post("/keys/upload", body).await.ok();
    let name = json!({"display_name": "Phone"});
    let path = format!("/devices/{}", encode(&alice.device));
    alice.put(&path, name).await.ok();
    let users = [
        &*alice.id,
        "@nobody:localhost",
        "@bob:peer.example",
        &*carol.id,
    ];
    let users = users.iter().map(|user| (*user, json!([])));
    let query = json!({"device_keys": users.collect::<BTreeMap<_, _>>()});
    let told = async || peer.post(server, QUERY, query.clone()).await.ok();
    let of = |keys: &Value| queried(&json!({&alice.id: {&alice.device: keys}, &carol.id: {}}));
    assert_eq!(told().await, of(&keys));
    PeerRoom::joined(&peer, server, (&alice, &room), "bob").await;
    let mut named = keys.clone();
    named["unsigned"] = json!({"device_display_name": "Phone"});
    assert_eq!(told().await, of(&named));
    alice.leave(&room).await.ok();
    assert_eq!(told().await, of(&keys));
}

async fn keys_are_claimed_once_and_then_the_fallback_key(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = peer(server);
    let claim = async || {
        let wanted = json!({
            &alice.id: {&alice.device: "signed_curve25519", "OTHER": "signed_curve25519"},
            "@nobody:localhost": {"D": "signed_curve25519"},
            "@bob:peer.example": {"D": "signed_curve25519"},
        });
        let body = json!({ "one_time_keys": wanted });
        peer.post(server, CLAIM, body).await.ok()
    };
    assert_eq!(claim().await, json!({"one_time_keys": {}}));
    let signature = json!({&alice.id: {format!("ed25519:{}", alice.device): "signature"}});
    let key = |text: &str| json!({"key": text, "signatures": signature});
    let body = json!({
        "one_time_keys": {"signed_curve25519:B": key("b"), "signed_curve25519:A": key("a")},
        "fallback_keys": {"signed_curve25519:F": key("f")},
    });
    alice.post("/keys/upload", body).await.ok();
    for (id, text) in [("A", "a"), ("B", "b"), ("F", "f"), ("F", "f")] {
        let found = json!({format!("signed_curve25519:{id}"): key(text)});
        let expected = json!({"one_time_keys": {&alice.id: {&alice.device: found}}});
        assert_eq!(claim().await, expected);
    }
}

async fn refuses_bad_requests(server: &TestServer) {
    let peer = peer(server);
    devices(&peer, server, "nonsense")
        .await
        .refused(400, "M_INVALID_PARAM");
    for path in [QUERY, CLAIM] {
        peer.post(server, path, json!({}))
            .await
            .refused(400, "M_MISSING_PARAM");
    }
    let many = (0..1_001).map(|number| (format!("@{number}:localhost"), json!([])));
    let body = json!({"device_keys": many.collect::<BTreeMap<_, _>>()});
    peer.post(server, QUERY, body)
        .await
        .refused(400, "M_INVALID_PARAM");
    let many = (0..1_001).map(|number| (format!("@{number}:localhost"), json!({})));
    let body = json!({"one_time_keys": many.collect::<BTreeMap<_, _>>()});
    peer.post(server, CLAIM, body)
        .await
        .refused(400, "M_INVALID_PARAM");
}
