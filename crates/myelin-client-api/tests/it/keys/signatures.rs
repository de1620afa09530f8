//! `POST /keys/signatures/upload`, and who sees which signatures

use myelin_core::signing_key::SigningKey;
use myelin_testkit::{TestServer, User, text, three_modes};
use serde_json::{Value, json};

use super::material::{
    CrossSigning, cross_signing_key, device_key, device_keys, query, sign, signing_key,
    upload_cross_signing, upload_device_keys,
};
use crate::{covers, send_event_to_device::log_in};

three_modes!(
    signatures_of_one_s_own_devices_are_seen_by_all,
    signatures_of_others_are_seen_by_who_made_them,
    a_device_signs_the_master_key,
    odd_signatures_are_told_one_by_one,
    signatures_go_with_the_key,
    signatures_go_with_the_device,
    who_has_signed_whom_is_not_told_by_a_key_either,
);

covers! {
    "POST /_matrix/client/v3/keys/signatures/upload":
        works = signatures_of_one_s_own_devices_are_seen_by_all;
}

/// A user with a device and cross-signing keys.
async fn with_keys(server: &TestServer, name: &str) -> (User, CrossSigning) {
    let user = server.user(name).await;
    upload_device_keys(&user).await;
    let keys = CrossSigning::new(&user.id, 1);
    upload_cross_signing(&user, keys.body(&user.id)).await.ok();
    (user, keys)
}

async fn upload_signatures(user: &User, signed: Value) -> Value {
    let answer = user.post("/keys/signatures/upload", signed).await.ok();
    answer["failures"].clone()
}

/// An object with a signature by a key whose name is its public key.
fn signed(mut object: Value, user: &User, key: &SigningKey) -> Value {
    let public = key.public_key_base64();
    sign(&mut object, &user.id, (&public, key));
    object
}

fn master_of(user: &User, keys: &CrossSigning) -> Value {
    cross_signing_key(&user.id, "master", &keys.master)
}

async fn signatures_of_one_s_own_devices_are_seen_by_all(server: &TestServer) {
    let (alice, keys) = with_keys(server, "alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let since = text(&bob.sync(None).await, "next_batch");
    let device = signed(device_keys(&alice), &alice, &keys.self_signing);
    let failures = upload_signatures(&alice, json!({&alice.id: {&alice.device: device}})).await;
    assert_eq!(failures, json!({}));
    for viewer in [&alice, &bob] {
        let shown = query(viewer, &alice.id).await;
        assert_eq!(shown["device_keys"][&alice.id][&alice.device], device);
    }
    let sync = bob.sync(Some(&since)).await;
    assert_eq!(sync["device_lists"]["changed"], json!([&alice.id]));
}

async fn signatures_of_others_are_seen_by_who_made_them(server: &TestServer) {
    let (alice, keys) = with_keys(server, "alice").await;
    let (bob, of_bob) = with_keys(server, "bob").await;
    let carol = server.user("carol").await;
    let laptop = log_in(server, "alice", "LAPTOP").await;
    let since = text(&laptop.sync(None).await, "next_batch");
    let master = signed(master_of(&bob, &of_bob), &alice, &keys.user_signing);
    let public = of_bob.master.public_key_base64();
    let failures = upload_signatures(&alice, json!({&bob.id: {&public: master}})).await;
    assert_eq!(failures, json!({}));
    let shown = query(&alice, &bob.id).await;
    assert_eq!(shown["master_keys"][&bob.id], master);
    for viewer in [&bob, &carol] {
        let shown = query(viewer, &bob.id).await;
        assert_eq!(shown["master_keys"][&bob.id], master_of(&bob, &of_bob));
    }
    // The signer's other devices look again, and nobody else.
    let sync = laptop.sync(Some(&since)).await;
    assert_eq!(sync["device_lists"]["changed"], json!([&bob.id]));
    server.restart().await;
    let sync = laptop.sync(Some(&since)).await;
    assert_eq!(sync["device_lists"]["changed"], json!([&bob.id]));
}

async fn a_device_signs_the_master_key(server: &TestServer) {
    let (alice, keys) = with_keys(server, "alice").await;
    let bob = server.user("bob").await;
    let mut master = master_of(&alice, &keys);
    sign(&mut master, &alice.id, (&alice.device, &device_key(&alice)));
    let public = keys.master.public_key_base64();
    let failures = upload_signatures(&alice, json!({&alice.id: {&public: master}})).await;
    assert_eq!(failures, json!({}));
    let shown = query(&bob, &alice.id).await;
    assert_eq!(shown["master_keys"][&alice.id], master);
}

async fn odd_signatures_are_told_one_by_one(server: &TestServer) {
    let (alice, keys) = with_keys(server, "alice").await;
    let (bob, of_bob) = with_keys(server, "bob").await;
    let own = device_keys(&alice);
    let stranger = signing_key("stranger");
    let mut forged = signed(own.clone(), &alice, &keys.self_signing);
    let name = format!("ed25519:{}", keys.self_signing.public_key_base64());
    forged["signatures"][&alice.id][&name] = "AAAA".into();
    let mut changed = own.clone();
    changed["algorithms"] = json!([]);
    let public = of_bob.master.public_key_base64();
    for (owner, key_id, object, code) in [
        (&alice, &alice.device, forged, "M_INVALID_SIGNATURE"),
        (
            &alice,
            &alice.device,
            signed(own.clone(), &alice, &stranger),
            "M_INVALID_SIGNATURE",
        ),
        (
            &alice,
            &alice.device,
            signed(changed, &alice, &keys.self_signing),
            "M_INVALID_SIGNATURE",
        ),
        (&alice, &alice.device, json!("abc"), "M_BAD_JSON"),
        (&alice, &"UNKNOWN".to_owned(), own.clone(), "M_NOT_FOUND"),
        (&bob, &bob.device, device_keys(&bob), "M_NOT_FOUND"),
        (
            &bob,
            &public,
            signed(master_of(&bob, &of_bob), &alice, &keys.self_signing),
            "M_INVALID_SIGNATURE",
        ),
        (
            &bob,
            &public,
            master_of(&bob, &of_bob),
            "M_INVALID_SIGNATURE",
        ),
    ] {
        let good = signed(own.clone(), &alice, &keys.self_signing);
        let mut body = json!({&alice.id: {&alice.device: good}});
        body[&owner.id][key_id] = object;
        let failures = upload_signatures(&alice, body).await;
        let failure = &failures[&owner.id][key_id];
        assert_eq!(failure["errcode"], code, "{failures}");
        assert_eq!(failures.as_object().unwrap().len(), 1);
    }
    let remote = json!({"@carol:elsewhere.example": {"abc": own}});
    let failures = upload_signatures(&alice, remote).await;
    let failure = &failures["@carol:elsewhere.example"]["abc"];
    assert_eq!(failure["errcode"], "M_NOT_FOUND");
}

async fn signatures_go_with_the_key(server: &TestServer) {
    let (alice, keys) = with_keys(server, "alice").await;
    let device = signed(device_keys(&alice), &alice, &keys.self_signing);
    upload_signatures(&alice, json!({&alice.id: {&alice.device: device}})).await;
    // Other keys under the same name.
    let mut other = device_keys(&alice);
    other["keys"][format!("curve25519:{}", alice.device)] = "other".into();
    let answer = alice
        .post("/keys/upload", json!({"device_keys": &other}))
        .await;
    answer.ok();
    let shown = query(&alice, &alice.id).await;
    assert_eq!(shown["device_keys"][&alice.id][&alice.device], other);
}

/// Who logs in under an id that somebody has had is not vouched for.
async fn signatures_go_with_the_device(server: &TestServer) {
    let (alice, keys) = with_keys(server, "alice").await;
    let tablet = log_in(server, "alice", "TABLET").await;
    upload_device_keys(&tablet).await;
    let device = signed(device_keys(&tablet), &alice, &keys.self_signing);
    upload_signatures(&alice, json!({&alice.id: {"TABLET": &device}})).await;
    let shown = async || query(&alice, &alice.id).await["device_keys"][&alice.id]["TABLET"].clone();
    assert_eq!(shown().await, device);
    tablet.post("/logout", json!({})).await.ok();
    let tablet = log_in(server, "alice", "TABLET").await;
    assert_eq!(shown().await, Value::Null);
    upload_device_keys(&tablet).await;
    assert_eq!(shown().await, device_keys(&tablet));
}

/// A key may come with signatures of anybody: who has verified whom is seen by these two alone.
async fn who_has_signed_whom_is_not_told_by_a_key_either(server: &TestServer) {
    let alice = server.user("alice").await;
    let (bob, carol) = (server.user("bob").await, server.user("carol").await);
    let keys = CrossSigning::new(&alice.id, 1);
    let mut master = master_of(&alice, &keys);
    sign(&mut master, &alice.id, (&alice.device, &device_key(&alice)));
    let mut device = device_keys(&alice);
    let bare = [master.clone(), device.clone()];
    for key in [&mut master, &mut device] {
        key["signatures"][&bob.id] = json!({"ed25519:abc": "signature"});
    }
    let body = json!({"device_keys": device});
    alice.post("/keys/upload", body).await.ok();
    upload_cross_signing(&alice, json!({"master_key": master}))
        .await
        .ok();
    for (viewer, expected) in [(&carol, &bare), (&alice, &bare), (&bob, &[master, device])] {
        let shown = query(viewer, &alice.id).await;
        assert_eq!(shown["master_keys"][&alice.id], expected[0]);
        assert_eq!(shown["device_keys"][&alice.id][&alice.device], expected[1]);
    }
}
