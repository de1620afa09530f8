//! `GET /_matrix/federation/v1/user/devices/{userId}`, and
//! `POST /_matrix/federation/v1/user/keys/query` and `…/claim`

use std::{collections::BTreeMap, sync::Arc};

use myelin_testkit::{Answer, Peer, PeerRoom, TestServer, covers, encode, three_modes};
use serde_json::json;

three_modes!(
    lists_devices_that_have_keys,
    device_queries_need_a_shared_room,
    nothing_is_claimed_from_who_has_nothing,
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
        works = nothing_is_claimed_from_who_has_nothing,
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
    // Nobody can upload keys so far.
    let none = json!({"user_id": alice.id, "stream_id": 0, "devices": []});
    assert_eq!(told, none);
    let body = json!({"device_keys": {&alice.id: []}});
    let told = peer.post(server, QUERY, body).await.ok();
    assert_eq!(told, json!({"device_keys": {&alice.id: {}}}));
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
    let body = json!({"device_keys": users.iter().map(|user| (*user, json!([]))).collect::<BTreeMap<_, _>>()});
    let told = peer.post(server, QUERY, body.clone()).await.ok();
    assert_eq!(told, json!({"device_keys": {}}));
    PeerRoom::joined(&peer, server, (&alice, &room), "bob").await;
    devices(&peer, server, &alice.id).await.ok();
    devices(&peer, server, &carol.id)
        .await
        .refused(403, "M_FORBIDDEN");
    let told = peer.post(server, QUERY, body).await.ok();
    assert_eq!(told, json!({"device_keys": {&alice.id: {}}}));
    // It ends with the room.
    alice.leave(&room).await.ok();
    devices(&peer, server, &alice.id)
        .await
        .refused(403, "M_FORBIDDEN");
}

async fn nothing_is_claimed_from_who_has_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let wanted = json!({&alice.id: {&alice.device: "signed_curve25519"}});
    let body = json!({ "one_time_keys": wanted });
    let told = peer(server).post(server, CLAIM, body).await.ok();
    assert_eq!(told, json!({"one_time_keys": {}}));
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
}
