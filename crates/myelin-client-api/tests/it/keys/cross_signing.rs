//! `POST /keys/device_signing/upload`

use http::Method;
use myelin_testkit::{PASSWORD, TestServer, User, text, three_modes};
use serde_json::{Value, json};

use super::material::{
    CrossSigning, cross_signing_key, device_key, device_keys, query, sign, signing_key, upload,
    upload_cross_signing, upload_device_keys,
};
use crate::covers;

three_modes!(
    cross_signing_keys_are_shown,
    the_first_keys_and_the_same_need_no_approval,
    other_keys_need_approval,
    a_new_master_key_ends_what_the_old_one_has_signed,
    keys_must_be_signed_by_the_master_key,
    a_master_key_is_needed,
    cross_signing_keys_are_checked_against_their_schema,
    a_key_cannot_have_the_id_of_a_device,
);

covers! {
    "POST /_matrix/client/v3/keys/device_signing/upload":
        works = cross_signing_keys_are_shown,
        400 = keys_must_be_signed_by_the_master_key,
        403 = a_key_cannot_have_the_id_of_a_device;
}

/// The body with what approves it.
async fn approved(user: &User, name: &str, mut body: Value) -> Value {
    let challenge = upload_cross_signing(user, body.clone()).await;
    assert_eq!(challenge.status, 401, "{}", challenge.text);
    let stages = &challenge.body["flows"][0]["stages"];
    assert_eq!(*stages, json!(["m.login.password"]));
    body["auth"] = json!({
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": name},
        "password": PASSWORD,
        "session": challenge.body["session"],
    });
    body
}

async fn cross_signing_keys_are_shown(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let since = text(&bob.sync(None).await, "next_batch");
    let body = CrossSigning::new(&alice.id, 1).body(&alice.id);
    let answer = upload_cross_signing(&alice, body.clone()).await;
    assert_eq!(answer.ok(), json!({}));
    let own = query(&alice, &alice.id).await;
    for (shown, uploaded) in [
        ("master_keys", "master_key"),
        ("self_signing_keys", "self_signing_key"),
        ("user_signing_keys", "user_signing_key"),
    ] {
        assert_eq!(own[shown], json!({&alice.id: body[uploaded]}));
    }
    let seen = query(&bob, &alice.id).await;
    assert_eq!(seen["master_keys"], own["master_keys"]);
    assert_eq!(seen["self_signing_keys"], own["self_signing_keys"]);
    assert_eq!(seen["user_signing_keys"], json!({}), "hers alone");
    let sync = bob.sync(Some(&since)).await;
    assert_eq!(sync["device_lists"]["changed"], json!([&alice.id]));
}

async fn the_first_keys_and_the_same_need_no_approval(server: &TestServer) {
    let alice = server.user("alice").await;
    let body = CrossSigning::new(&alice.id, 1).body(&alice.id);
    upload_cross_signing(&alice, json!({"master_key": body["master_key"]}))
        .await
        .ok();
    // A key that was not there is a new one, too.
    let answer = upload_cross_signing(&alice, body.clone()).await;
    assert_eq!(answer.status, 401, "{}", answer.text);
    let body = approved(&alice, "alice", body).await;
    upload_cross_signing(&alice, body.clone()).await.ok();
    let since = text(&alice.sync(None).await, "next_batch");
    for keys in [
        &["master_key"][..],
        &["master_key", "user_signing_key"],
        &[],
    ] {
        let keys = keys
            .iter()
            .map(|key| ((*key).to_owned(), body[*key].clone()));
        let some = Value::Object(keys.collect());
        upload_cross_signing(&alice, some).await.ok();
    }
    let sync = alice.sync(Some(&since)).await;
    assert_eq!(sync["device_lists"]["changed"], json!([]));
}

async fn other_keys_need_approval(server: &TestServer) {
    let alice = server.user("alice").await;
    let first = CrossSigning::new(&alice.id, 1).body(&alice.id);
    upload_cross_signing(&alice, first.clone()).await.ok();
    let second = CrossSigning::new(&alice.id, 2).body(&alice.id);
    let mut body = approved(&alice, "alice", second.clone()).await;
    let shown = query(&alice, &alice.id).await;
    assert_eq!(shown["master_keys"][&alice.id], first["master_key"]);
    let mut wrong = body.clone();
    wrong["auth"]["password"] = "not that".into();
    let answer = upload_cross_signing(&alice, wrong).await;
    assert_eq!(answer.code(), (401, "M_FORBIDDEN"));
    upload_cross_signing(&alice, body.clone()).await.ok();
    let shown = query(&alice, &alice.id).await;
    assert_eq!(shown["master_keys"][&alice.id], second["master_key"]);
    // What was approved is done once.
    let third = CrossSigning::new(&alice.id, 3).body(&alice.id);
    for key in ["master_key", "self_signing_key", "user_signing_key"] {
        body[key] = third[key].clone();
    }
    let answer = upload_cross_signing(&alice, body).await;
    assert_eq!(answer.status, 401, "{}", answer.text);
}

async fn a_new_master_key_ends_what_the_old_one_has_signed(server: &TestServer) {
    let alice = server.user("alice").await;
    let keys = CrossSigning::new(&alice.id, 1);
    let first = keys.body(&alice.id);
    upload_cross_signing(&alice, first.clone()).await.ok();
    upload_device_keys(&alice).await;
    let mut signed = first["master_key"].clone();
    sign(&mut signed, &alice.id, (&alice.device, &device_key(&alice)));
    let public = keys.master.public_key_base64();
    let body = json!({&alice.id: {public: &signed}});
    alice.post("/keys/signatures/upload", body).await.ok();
    let shown = query(&alice, &alice.id).await;
    assert_eq!(shown["master_keys"][&alice.id], signed);
    let second = CrossSigning::new(&alice.id, 2).body(&alice.id);
    let master = json!({"master_key": second["master_key"]});
    let body = approved(&alice, "alice", master).await;
    upload_cross_signing(&alice, body).await.ok();
    let shown = query(&alice, &alice.id).await;
    assert_eq!(shown["master_keys"][&alice.id], second["master_key"]);
    assert_eq!(shown["self_signing_keys"], json!({}));
    assert_eq!(shown["user_signing_keys"], json!({}));
    // Nor is the old one vouched for any more.
    let master = json!({"master_key": first["master_key"]});
    let body = approved(&alice, "alice", master).await;
    upload_cross_signing(&alice, body).await.ok();
    let shown = query(&alice, &alice.id).await;
    assert_eq!(shown["master_keys"][&alice.id], first["master_key"]);
}

async fn keys_must_be_signed_by_the_master_key(server: &TestServer) {
    let alice = server.user("alice").await;
    let good = CrossSigning::new(&alice.id, 1);
    let other = CrossSigning::new(&alice.id, 2).body(&alice.id);
    for key in ["self_signing_key", "user_signing_key"] {
        let mut body = good.body(&alice.id);
        body[key] = other[key].clone();
        let answer = upload_cross_signing(&alice, body).await;
        answer.refused(400, "M_INVALID_SIGNATURE");
        let mut body = good.body(&alice.id);
        body[key].as_object_mut().unwrap().remove("signatures");
        let answer = upload_cross_signing(&alice, body).await;
        answer.refused(400, "M_INVALID_SIGNATURE");
        let mut body = good.body(&alice.id);
        body[key]["more"] = 1.into();
        let answer = upload_cross_signing(&alice, body).await;
        answer.refused(400, "M_INVALID_SIGNATURE");
    }
    // By the one that is there, where none comes with them.
    let body = good.body(&alice.id);
    upload_cross_signing(&alice, json!({"master_key": body["master_key"]}))
        .await
        .ok();
    let foreign = json!({"self_signing_key": other["self_signing_key"]});
    let answer = upload_cross_signing(&alice, foreign).await;
    answer.refused(400, "M_INVALID_SIGNATURE");
    let own = json!({"self_signing_key": body["self_signing_key"]});
    let own = approved(&alice, "alice", own).await;
    upload_cross_signing(&alice, own).await.ok();
}

async fn a_master_key_is_needed(server: &TestServer) {
    let alice = server.user("alice").await;
    let body = CrossSigning::new(&alice.id, 1).body(&alice.id);
    let body = json!({"self_signing_key": body["self_signing_key"]});
    for body in [body, json!({})] {
        let answer = upload_cross_signing(&alice, body).await;
        answer.refused(400, "M_MISSING_PARAM");
    }
}

async fn cross_signing_keys_are_checked_against_their_schema(server: &TestServer) {
    let alice = server.user("alice").await;
    let key = signing_key("some");
    let good = cross_signing_key(&alice.id, "master", &key);
    for (field, odd) in [
        ("user_id", json!("@bob:localhost")),
        ("usage", json!(["self_signing"])),
        ("keys", json!({"ed25519:abc": "abc"})),
        ("signatures", json!([])),
    ] {
        let mut odd_key = good.clone();
        odd_key[field] = odd;
        let answer = upload_cross_signing(&alice, json!({"master_key": odd_key})).await;
        answer.refused(400, "M_INVALID_PARAM");
    }
    let answer = upload_cross_signing(&alice, json!({"master_key": "abc"})).await;
    answer.refused(400, "M_BAD_JSON");
}

async fn a_key_cannot_have_the_id_of_a_device(server: &TestServer) {
    let keys = CrossSigning::new("@alice:localhost", 1);
    let public = keys.master.public_key_base64();
    server.user("alice").await;
    let device = crate::send_event_to_device::log_in(server, "alice", &public).await;
    let body = keys.body(&device.id);
    let answer = upload_cross_signing(&device, body.clone()).await;
    answer.refused(403, "M_FORBIDDEN");
    // And no device that of a key.
    device
        .request(Method::POST, "/logout", String::new())
        .await
        .ok();
    let phone = crate::send_event_to_device::log_in(server, "alice", "PHONE").await;
    upload_device_keys(&phone).await;
    upload_cross_signing(&phone, body).await.ok();
    let device = crate::send_event_to_device::log_in(server, "alice", &public).await;
    let mut keys = device_keys(&device);
    sign(&mut keys, &device.id, (&device.device, &signing_key("any")));
    let answer = upload(&device, json!({"device_keys": keys})).await;
    answer.refused(403, "M_FORBIDDEN");
}
