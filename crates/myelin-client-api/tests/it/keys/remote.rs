//! Keys of other servers' users.

use http::Method;
use myelin_testkit::{
    Peer, PeerRoom, TestServer, User, encode, text, three_modes, three_modes_federated, wait_until,
};
use serde_json::{Value, json};

use super::material::{
    CrossSigning, claim, device_keys, name_of, one_time_key, query, sign, upload,
    upload_cross_signing, upload_device_keys, upload_one_time_keys,
};

three_modes!(
    answers_are_taken_as_far_as_they_were_asked_for,
    servers_that_do_not_answer_are_told,
    a_client_may_say_how_long_it_waits,
    what_was_told_is_kept_until_it_may_have_changed,
    strangers_are_asked_for_each_time,
);

three_modes_federated!(
    keys_of_another_server_are_shown,
    keys_of_another_server_are_claimed_once,
    keys_of_another_server_are_signed,
    who_shares_a_room_hears_of_new_devices_elsewhere,
    who_comes_and_goes_from_elsewhere_is_told,
);

const QUERY: &str = "/_matrix/federation/v1/user/keys/query";
const CLAIM: &str = "/_matrix/federation/v1/user/keys/claim";

/// A room of a user here that a user there has joined.
async fn shared(here: &TestServer, there: &TestServer) -> (User, User, String) {
    let (alice, bob) = (here.user("alice").await, there.user("bob").await);
    let room = alice.create_public_room().await;
    join(&bob, &room, here).await;
    (alice, bob, room)
}

async fn join(user: &User, room: &str, at: &TestServer) {
    let path = format!("/join/{}?server_name={}", encode(room), at.name());
    user.post(&path, json!({})).await.ok();
}

async fn keys_of_another_server_are_shown(here: &TestServer, there: &TestServer) {
    let (alice, bob, _) = shared(here, there).await;
    for (viewer, of) in [(&alice, &bob), (&bob, &alice)] {
        upload_device_keys(of).await;
        let keys = CrossSigning::new(&of.id, 1);
        upload_cross_signing(of, keys.body(&of.id)).await.ok();
        let body = keys.body(&of.id);
        let shown = query(viewer, &of.id).await;
        assert_eq!(shown["failures"], json!({}));
        let expected = json!({&of.id: {&of.device: device_keys(of)}});
        assert_eq!(shown["device_keys"], expected);
        assert_eq!(shown["master_keys"], json!({&of.id: body["master_key"]}));
        let expected = json!({&of.id: body["self_signing_key"]});
        assert_eq!(shown["self_signing_keys"], expected);
        assert_eq!(shown["user_signing_keys"], json!({}));
    }
}

async fn keys_of_another_server_are_claimed_once(here: &TestServer, there: &TestServer) {
    let (alice, bob, _) = shared(here, there).await;
    for (taker, of) in [(&alice, &bob), (&bob, &alice)] {
        upload_one_time_keys(of, 1..3).await;
        let fallback = json!({name_of(9): one_time_key(of, 9)});
        upload(of, json!({"fallback_keys": fallback})).await.ok();
        for number in [1, 2, 9, 9] {
            assert_eq!(claim(taker, of).await, [name_of(number)]);
        }
    }
}

async fn keys_of_another_server_are_signed(here: &TestServer, there: &TestServer) {
    let (alice, bob, _) = shared(here, there).await;
    let carol = here.user("carol").await;
    for (user, other) in [(&alice, &bob), (&bob, &alice)] {
        let (own, others) = (
            CrossSigning::new(&user.id, 1),
            CrossSigning::new(&other.id, 1),
        );
        for (user, keys) in [(user, &own), (other, &others)] {
            upload_cross_signing(user, keys.body(&user.id)).await.ok();
        }
        let id = others.master.public_key_base64();
        let mut signed = others.body(&other.id)["master_key"].clone();
        let public = own.user_signing.public_key_base64();
        sign(&mut signed, &user.id, (&public, &own.user_signing));
        let since = text(&user.sync(None).await, "next_batch");
        let body = json!({&other.id: {&id: &signed}});
        let answer = user.post("/keys/signatures/upload", body).await.ok();
        assert_eq!(answer["failures"], json!({}));
        // The user's other devices look again, and are shown the signature; nobody else is.
        let sync = user.sync(Some(&since)).await;
        let changed = sync["device_lists"]["changed"].as_array().unwrap();
        assert!(changed.contains(&json!(other.id)));
        let shown = query(user, &other.id).await;
        assert_eq!(shown["master_keys"][&other.id], signed);
        let bare = others.body(&other.id)["master_key"].clone();
        for viewer in [&carol, other] {
            let shown = query(viewer, &other.id).await;
            let shown = &shown["master_keys"][&other.id];
            assert_eq!(shown.get("signatures"), bare.get("signatures"));
        }
        let forged = json!({&other.id: {&id: {"forged": true}, "NONE": &signed}});
        let answer = user.post("/keys/signatures/upload", forged).await.ok();
        let failures = answer["failures"][&other.id].as_object().unwrap();
        assert_eq!(failures.len(), 2);
    }
}

/// Polls until a user is told of another's devices; then what was told.
async fn told(user: &User, since: &mut String, list: &str, other: &User) {
    wait_until(
        &format!("{} is told of {}", user.id, other.id),
        async || {
            let sync = user.sync(Some(since)).await;
            *since = text(&sync, "next_batch");
            let users = sync["device_lists"][list].as_array().cloned();
            users.unwrap_or_default().contains(&json!(other.id))
        },
    )
    .await;
}

async fn who_shares_a_room_hears_of_new_devices_elsewhere(here: &TestServer, there: &TestServer) {
    let (alice, bob, _) = shared(here, there).await;
    for (user, other) in [(&alice, &bob), (&bob, &alice)] {
        let mut since = text(&user.sync(None).await, "next_batch");
        upload_device_keys(other).await;
        told(user, &mut since, "changed", other).await;
        let keys = CrossSigning::new(&other.id, 1).body(&other.id);
        upload_cross_signing(other, keys).await.ok();
        told(user, &mut since, "changed", other).await;
        let shown = query(user, &other.id).await;
        assert!(shown["master_keys"][&other.id].is_object());
    }
}

async fn who_comes_and_goes_from_elsewhere_is_told(here: &TestServer, there: &TestServer) {
    let (alice, bob) = (here.user("alice").await, there.user("bob").await);
    let room = alice.create_public_room().await;
    let algorithm = json!({"algorithm": "m.megolm.v1.aes-sha2"});
    alice
        .set_state(&room, "m.room.encryption", "", algorithm)
        .await
        .ok();
    let mut since = text(&alice.sync(None).await, "next_batch");
    let mut bobs = text(&bob.sync(None).await, "next_batch");
    for _ in 0..2 {
        join(&bob, &room, here).await;
        told(&alice, &mut since, "changed", &bob).await;
        told(&bob, &mut bobs, "changed", &alice).await;
        bob.leave(&room).await.ok();
        told(&alice, &mut since, "left", &bob).await;
        told(&bob, &mut bobs, "left", &alice).await;
    }
}

async fn answers_are_taken_as_far_as_they_were_asked_for(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let keys = |user: &str, device: &str| {
        json!({
            "user_id": user,
            "device_id": device,
            "algorithms": [],
            "keys": {format!("ed25519:{device}"): "key"},
            "signatures": {user: {format!("ed25519:{device}"): "signature"}},
        })
    };
    let bob = "@bob:peer.example";
    let answer = json!({
        "device_keys": {
            bob: {"PHONE": keys(bob, "PHONE"), "BAD": {"user_id": bob}, "OTHER": keys(bob, "O")},
            "@carol:peer.example": {"C": keys("@carol:peer.example", "C")},
            &alice.id: {"FORGED": keys(&alice.id, "FORGED")},
        },
        "master_keys": {&alice.id: {"forged": true}},
    });
    peer.answer(Method::POST, QUERY, move |_| (200, answer.clone()));
    let body = json!({"device_keys": {bob: [], &alice.id: []}});
    let shown = alice.post("/keys/query", body).await.ok();
    let expected = json!({bob: {"PHONE": keys(bob, "PHONE")}, &alice.id: {}});
    assert_eq!(shown["device_keys"], expected);
    assert_eq!(shown["master_keys"], json!({}));
    assert_eq!(shown["failures"], json!({}));
    let asked = peer.received();
    let asked: Vec<&Value> = asked.iter().map(|request| &request.body).collect();
    assert_eq!(asked, [&json!({"device_keys": {bob: []}})]);
    let forged = json!({"one_time_keys": {
        bob: {"PHONE": {"signed_curve25519:A": 5, "signed_curve25519:B": one_time_key(&alice, 1)}},
        &alice.id: {&alice.device: {"signed_curve25519:F": one_time_key(&alice, 1)}},
    }});
    peer.answer(Method::POST, CLAIM, move |_| (200, forged.clone()));
    let wanted = json!({
        bob: {"PHONE": "signed_curve25519"},
        &alice.id: {&alice.device: "signed_curve25519"},
    });
    let body = json!({"one_time_keys": wanted});
    let claimed = alice.post("/keys/claim", body).await.ok();
    let key = json!({"signed_curve25519:B": one_time_key(&alice, 1)});
    assert_eq!(claimed["one_time_keys"], json!({bob: {"PHONE": key}}));
    let asked = peer.received().pop().unwrap().body;
    let expected = json!({"one_time_keys": {bob: {"PHONE": "signed_curve25519"}}});
    assert_eq!(asked, expected);
}

async fn servers_that_do_not_answer_are_told(server: &TestServer) {
    let alice = server.user("alice").await;
    upload_device_keys(&alice).await;
    let good = Peer::start(server.network(), "good.example");
    let refusing = Peer::start(server.network(), "refusing.example");
    let babbling = Peer::start(server.network(), "babbling.example");
    good.answer(Method::POST, QUERY, |_| (200, json!({"device_keys": {}})));
    for path in [QUERY, CLAIM] {
        refusing.answer(Method::POST, path, |_| {
            (403, json!({"errcode": "M_UNKNOWN_TOKEN", "error": "no"}))
        });
        babbling.answer(Method::POST, path, |_| (200, json!(["what?"])));
    }
    good.answer(Method::POST, CLAIM, |_| (200, json!({"one_time_keys": {}})));
    let failing = ["babbling.example", "gone.example", "refusing.example"];
    let servers = failing.iter().chain(["good.example"].iter());
    let users: Vec<String> = servers.map(|server| format!("@u:{server}")).collect();
    let query: serde_json::Map<_, _> = users
        .iter()
        .chain([&alice.id])
        .map(|user| (user.clone(), json!([])))
        .collect();
    let body = json!({"device_keys": query});
    let shown = alice.post("/keys/query", body).await.ok();
    let failures = shown["failures"].as_object().unwrap();
    assert_eq!(failures.keys().collect::<Vec<_>>(), failing);
    for failure in failures.values() {
        assert!(failure["error"].is_string());
        // A client that takes it for its own session's would log out.
        assert_ne!(failure["errcode"], "M_UNKNOWN_TOKEN");
    }
    assert!(shown["device_keys"][&alice.id][&alice.device].is_object());
    let wanted: serde_json::Map<_, _> = users
        .iter()
        .map(|user| (user.clone(), json!({"D": "signed_curve25519"})))
        .collect();
    let body = json!({"one_time_keys": wanted});
    let claimed = alice.post("/keys/claim", body).await.ok();
    let failures = claimed["failures"].as_object().unwrap();
    assert_eq!(failures.keys().collect::<Vec<_>>(), failing);
}

async fn a_client_may_say_how_long_it_waits(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    peer.answer(Method::POST, QUERY, |_| (200, json!({"device_keys": {}})));
    for timeout in [json!(10_000), json!(u64::MAX), Value::Null] {
        let body = json!({"device_keys": {"@bob:peer.example": []}, "timeout": timeout});
        let shown = alice.post("/keys/query", body).await.ok();
        assert_eq!(shown["failures"], json!({}));
    }
    for timeout in [json!("soon"), json!(-1)] {
        let body = json!({"device_keys": {}, "timeout": timeout});
        alice
            .post("/keys/query", body)
            .await
            .refused(400, "M_BAD_JSON");
    }
}

/// The keys of a device of bob of the peer.
pub(super) fn bobs_device(device: &str) -> Value {
    let bob = "@bob:peer.example";
    json!({
        "user_id": bob,
        "device_id": device,
        "algorithms": [],
        "keys": {format!("ed25519:{device}"): "key"},
        "signatures": {bob: {format!("ed25519:{device}"): "signature"}},
    })
}

/// Answers queries for bob of the peer: the devices that there are now.
pub(super) fn answer_queries(peer: &Peer, devices: &[&str]) {
    let devices = devices.iter();
    let keys = devices.map(|device| ((*device).to_owned(), bobs_device(device)));
    let keys: serde_json::Map<_, _> = keys.collect();
    let answer = json!({"device_keys": {"@bob:peer.example": keys}});
    peer.answer(Method::POST, QUERY, move |_| (200, answer.clone()));
}

/// The devices of bob of the peer that a user is shown.
pub(super) async fn devices_of_bob(user: &User, wanted: Value) -> Vec<String> {
    let body = json!({"device_keys": {"@bob:peer.example": wanted}});
    let shown = user.post("/keys/query", body).await.ok();
    let devices = shown["device_keys"]["@bob:peer.example"].as_object();
    devices.map_or_else(Vec::new, |devices| devices.keys().cloned().collect())
}

pub(super) fn times_asked(peer: &Peer) -> usize {
    let received = peer.received();
    let asked = received.iter().filter(|request| request.path == QUERY);
    asked.count()
}

async fn what_was_told_is_kept_until_it_may_have_changed(server: &TestServer) {
    let alice = server.user("alice").await;
    let carol = server.user("carol").await;
    let peer = Peer::start(server.network(), "peer.example");
    let room_id = alice.create_public_room().await;
    let mut room = PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
    let all = json!([]);
    answer_queries(&peer, &["LAPTOP", "PHONE"]);
    // Who asks for one is told of one, and all are kept.
    assert_eq!(devices_of_bob(&alice, json!(["PHONE"])).await, ["PHONE"]);
    for user in [&alice, &carol, &alice] {
        assert_eq!(devices_of_bob(user, all.clone()).await, ["LAPTOP", "PHONE"]);
    }
    server.restart().await;
    server.network().set_cut_off("peer.example", true);
    assert_eq!(devices_of_bob(&carol, json!(["LAPTOP"])).await, ["LAPTOP"]);
    server.network().set_cut_off("peer.example", false);
    assert_eq!(times_asked(&peer), 1);
    // An update after one that was lost is a reason to ask.
    answer_queries(&peer, &["TABLET"]);
    let update = json!({"edu_type": "m.device_list_update", "content": {
        "user_id": "@bob:peer.example",
        "device_id": "TABLET",
        "stream_id": 7,
        "prev_id": [5],
    }});
    peer.transaction(server, vec![], vec![update]).await.ok();
    for user in [&alice, &carol] {
        assert_eq!(devices_of_bob(user, all.clone()).await, ["TABLET"]);
    }
    assert_eq!(times_asked(&peer), 2);
    // So is a return: of what was changed meanwhile nobody has told.
    let bob = room.user("bob");
    for membership in ["leave", "join"] {
        let content = json!({ "membership": membership });
        let event = room.set(&bob, "m.room.member", bob.as_str(), content);
        room.receive(server, &event).await;
    }
    assert_eq!(devices_of_bob(&alice, all.clone()).await, ["TABLET"]);
    assert_eq!(times_asked(&peer), 3);
    // And a day without news.
    server.clock().advance(std::time::Duration::from_hours(25));
    assert_eq!(devices_of_bob(&alice, all).await, ["TABLET"]);
    assert_eq!(times_asked(&peer), 4);
}

async fn strangers_are_asked_for_each_time(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    answer_queries(&peer, &["PHONE"]);
    for _ in 0..2 {
        assert_eq!(devices_of_bob(&alice, json!([])).await, ["PHONE"]);
    }
    assert_eq!(times_asked(&peer), 2);
}
