//! What updates of other servers' users' devices change of what is known of them.

use std::sync::Arc;

use myelin_testkit::{Peer, PeerRoom, TestServer, User, encode, three_modes};
use serde_json::{Value, json};

use super::{
    material::{cross_signing_key, signing_key},
    remote::{answer_queries, bobs_device, devices_of_bob, times_asked},
};

three_modes!(
    an_update_on_top_of_the_last_one_is_believed,
    an_update_that_cannot_be_shown_is_asked_for,
    a_gap_is_asked_for_once_the_server_can_be_reached,
    signing_keys_are_believed_where_there_are_both,
    what_was_known_before_a_return_is_asked_for,
);

const BOB: &str = "@bob:peer.example";

/// A peer whose bob shares a room with alice of the server, who knows his laptop.
async fn known(server: &TestServer) -> (User, Arc<Peer>) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = alice.create_public_room().await;
    PeerRoom::joined(&peer, server, (&alice, &room), "bob").await;
    answer_queries(&peer, &["LAPTOP"]);
    assert_eq!(shown(&alice).await, ["LAPTOP"]);
    (alice, peer)
}

/// Nobody is told of what changes while no room is shared, which a user of this server may come into
/// at another one.
async fn what_was_known_before_a_return_is_asked_for(server: &TestServer) {
    let (alice, peer) = known(server).await;
    let rooms = alice.get("/joined_rooms").await.ok();
    alice
        .leave(rooms["joined_rooms"][0].as_str().unwrap())
        .await
        .ok();
    answer_queries(&peer, &["PHONE"]);
    let room = PeerRoom::create(&peer, "11", "bob");
    let path = format!("/join/{}?via=peer.example", encode(room.id.as_str()));
    room.serve();
    alice.post(&path, json!({})).await.ok();
    for _ in 0..2 {
        assert_eq!(shown(&alice).await, ["PHONE"]);
    }
    assert_eq!(times_asked(&peer), 2);
}

async fn shown(user: &User) -> Vec<String> {
    devices_of_bob(user, json!([])).await
}

/// Sends an update of a device of bob's.
async fn update(
    (server, peer): (&TestServer, &Peer),
    (stream_id, before): (i64, &[i64]),
    device: &str,
    more: Value,
) {
    let mut content = json!({
        "user_id": BOB,
        "device_id": device,
        "stream_id": stream_id,
        "prev_id": before,
    });
    let more = more.as_object().unwrap().clone();
    content.as_object_mut().unwrap().extend(more);
    let edu = json!({"edu_type": "m.device_list_update", "content": content});
    peer.transaction(server, vec![], vec![edu]).await.ok();
}

async fn an_update_on_top_of_the_last_one_is_believed(server: &TestServer) {
    let (alice, peer) = known(server).await;
    let to = (server, &*peer);
    let mut keys = bobs_device("PHONE");
    let named = json!({"keys": keys, "device_display_name": "Telephone"});
    update(to, (5, &[]), "PHONE", named).await;
    server.network().set_cut_off("peer.example", true);
    assert_eq!(shown(&alice).await, ["LAPTOP", "PHONE"]);
    let query = json!({"device_keys": {BOB: ["PHONE"]}});
    let answer = alice.post("/keys/query", query).await.ok();
    keys["unsigned"] = json!({"device_display_name": "Telephone"});
    assert_eq!(answer["device_keys"], json!({BOB: {"PHONE": keys}}));
    server.network().set_cut_off("peer.example", false);
    server.restart().await;
    update(to, (8, &[5]), "LAPTOP", json!({"deleted": true})).await;
    assert_eq!(shown(&alice).await, ["PHONE"]);
    let keys = json!({"keys": bobs_device("TABLET")});
    update(to, (9, &[8]), "TABLET", keys).await;
    assert_eq!(shown(&alice).await, ["PHONE", "TABLET"]);
    // It has no keys any more.
    update(to, (10, &[9]), "PHONE", json!({})).await;
    assert_eq!(shown(&alice).await, ["TABLET"]);
    assert_eq!(times_asked(&peer), 1);
}

async fn an_update_that_cannot_be_shown_is_asked_for(server: &TestServer) {
    let (alice, peer) = known(server).await;
    let to = (server, &*peer);
    let odd = [
        json!({"keys": bobs_device("OTHER")}),
        json!({"keys": "none"}),
        json!({"keys": bobs_device("PHONE"), "stream_id": "six"}),
        json!({"keys": bobs_device("PHONE"), "prev_id": "five"}),
        json!({"keys": bobs_device("PHONE"), "device_id": 5}),
    ];
    let mut last: Vec<i64> = vec![];
    for (number, odd) in odd.into_iter().enumerate() {
        let has_id = odd["stream_id"] != "six";
        let stream_id = 6 + i64::try_from(number).unwrap();
        update(to, (stream_id, &last), "PHONE", odd).await;
        if has_id {
            last = vec![stream_id];
        }
        assert_eq!(shown(&alice).await, ["LAPTOP"]);
        assert_eq!(times_asked(&peer), number + 2);
    }
    // What was asked for goes on from there.
    let keys = json!({"keys": bobs_device("PHONE")});
    update(to, (20, &last), "PHONE", keys).await;
    assert_eq!(shown(&alice).await, ["LAPTOP", "PHONE"]);
    assert_eq!(times_asked(&peer), 6);
}

async fn a_gap_is_asked_for_once_the_server_can_be_reached(server: &TestServer) {
    let (alice, peer) = known(server).await;
    let to = (server, &*peer);
    let keys = |device| json!({"keys": bobs_device(device)});
    update(to, (5, &[]), "PHONE", keys("PHONE")).await;
    // The one before it was lost: it has removed the laptop.
    update(to, (7, &[6]), "TABLET", keys("TABLET")).await;
    server.network().set_cut_off("peer.example", true);
    let query = json!({"device_keys": {BOB: []}});
    let answer = alice.post("/keys/query", query).await.ok();
    assert_eq!(answer["device_keys"], json!({}));
    assert!(answer["failures"]["peer.example"].is_object());
    server.network().set_cut_off("peer.example", false);
    answer_queries(&peer, &["PHONE", "TABLET"]);
    assert_eq!(shown(&alice).await, ["PHONE", "TABLET"]);
    let asked = times_asked(&peer);
    update(to, (8, &[7]), "WATCH", keys("WATCH")).await;
    assert_eq!(shown(&alice).await, ["PHONE", "TABLET", "WATCH"]);
    assert_eq!(times_asked(&peer), asked);
    // A server that begins anew knows better, too.
    update(to, (1, &[]), "PHONE", json!({"deleted": true})).await;
    assert_eq!(shown(&alice).await, ["PHONE", "TABLET"]);
    assert_eq!(times_asked(&peer), asked + 1);
}

async fn signing_keys_are_believed_where_there_are_both(server: &TestServer) {
    let (alice, peer) = known(server).await;
    let [master, self_signing] =
        ["master", "self_signing"].map(|usage| cross_signing_key(BOB, usage, &signing_key(usage)));
    let shown_keys = async || {
        let query = json!({"device_keys": {BOB: []}});
        let answer = alice.post("/keys/query", query).await.ok();
        [
            answer["master_keys"][BOB].clone(),
            answer["self_signing_keys"][BOB].clone(),
        ]
    };
    let both = json!({"user_id": BOB, "master_key": master, "self_signing_key": self_signing});
    let one = json!({"user_id": BOB, "master_key": master});
    let odd = json!({"user_id": BOB, "master_key": self_signing, "self_signing_key": master});
    let none = [Value::Null, Value::Null];
    for (content, expected, asked) in [
        (both, [master, self_signing], 1),
        (one, none.clone(), 2),
        (odd, none, 3),
    ] {
        let edu = json!({"edu_type": "m.signing_key_update", "content": content});
        peer.transaction(server, vec![], vec![edu]).await.ok();
        assert_eq!(shown_keys().await, expected);
        assert_eq!(shown(&alice).await, ["LAPTOP"]);
        assert_eq!(times_asked(&peer), asked);
    }
}
