//! `/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device`

use http::Method;
use myelin_testkit::{Answer, TestServer, User, encode, text, three_modes};
use serde_json::{Value, json};

use crate::{
    covers,
    keys::material::{claim, device_keys, name_of, one_time_key, one_time_keys, query},
    send_event_to_device::log_in,
};

three_modes!(
    a_dehydrated_device_is_stored_and_shown,
    others_find_it_among_the_user_s_devices,
    what_it_was_sent_is_read_and_stays,
    another_one_takes_its_place,
    it_is_deleted_with_all_that_belongs_to_it,
    only_the_dehydrated_device_s_messages_are_shown,
    odd_dehydrated_devices_are_refused,
);

covers! {
    "PUT /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device":
        works = a_dehydrated_device_is_stored_and_shown;
    "GET /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device":
        works = a_dehydrated_device_is_stored_and_shown;
    "DELETE /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device":
        works = it_is_deleted_with_all_that_belongs_to_it;
    "POST /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{device_id}/events":
        works = what_it_was_sent_is_read_and_stays;
    "GET /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{device_id}/events":
        works = what_it_was_sent_is_read_and_stays;
}

const PATH: &str = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device";

/// The dehydrated device as if it were a session: what names it and signs for it.
fn dehydrated(user: &User, id: &str) -> User {
    let mut device = user.clone();
    id.clone_into(&mut device.device);
    device
}

fn body(user: &User, id: &str) -> Value {
    let device = dehydrated(user, id);
    json!({
        "device_id": id,
        "initial_device_display_name": "Dehydrated",
        "device_data": {"algorithm": "m.dehydration.v2", "device_pickle": "abc"},
        "device_keys": device_keys(&device),
        "one_time_keys": one_time_keys(&device, 0..2),
        "fallback_keys": {name_of(99): one_time_key(&device, 99)},
    })
}

async fn put(user: &User, id: &str) -> Answer {
    user.put(PATH, body(user, id)).await
}

async fn send(sender: &User, to: &User, number: usize) {
    let path = format!("/sendToDevice/org.example.n/{number}{}", encode(&to.device));
    let body = json!({"messages": {&to.id: {&to.device: {"n": number}}}});
    sender.put(&path, body).await.ok();
}

fn numbers(answer: &Value) -> Vec<u64> {
    let events = answer["events"].as_array().unwrap().iter();
    events
        .map(|event| event["content"]["n"].as_u64().unwrap())
        .collect()
}

async fn a_dehydrated_device_is_stored_and_shown(server: &TestServer) {
    let alice = server.user("alice").await;
    alice.get(PATH).await.refused(404, "M_NOT_FOUND");
    assert_eq!(put(&alice, "DRY").await.ok(), json!({"device_id": "DRY"}));
    let shown = json!({
        "device_id": "DRY",
        "device_data": {"algorithm": "m.dehydration.v2", "device_pickle": "abc"},
    });
    assert_eq!(alice.get(PATH).await.ok(), shown);
    let laptop = log_in(server, "alice", "LAPTOP").await;
    assert_eq!(laptop.get(PATH).await.ok(), shown);
    let versions = server.get("/_matrix/client/versions").await.ok();
    assert_eq!(versions["unstable_features"]["org.matrix.msc3814"], true);
}

async fn others_find_it_among_the_user_s_devices(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let since = text(&bob.sync(None).await, "next_batch");
    put(&alice, "DRY").await.ok();
    let sync = bob.sync(Some(&since)).await;
    assert_eq!(sync["device_lists"]["changed"], json!([&alice.id]));
    let shown = query(&bob, &alice.id).await;
    let device = &shown["device_keys"][&alice.id]["DRY"];
    assert_eq!(device["unsigned"]["device_display_name"], "Dehydrated");
    let dry = dehydrated(&alice, "DRY");
    for number in [0, 1, 99, 99] {
        assert_eq!(claim(&bob, &dry).await, [name_of(number)]);
    }
    let devices = alice.get("/devices").await.ok();
    assert_eq!(devices["devices"].as_array().unwrap().len(), 2);
}

async fn what_it_was_sent_is_read_and_stays(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    put(&alice, "DRY").await.ok();
    let dry = dehydrated(&alice, "DRY");
    for number in 0..150 {
        send(&bob, &dry, number).await;
    }
    let events = format!("{PATH}/DRY/events");
    for _twice in 0..2 {
        let first = alice.get(&events).await.ok();
        assert_eq!(numbers(&first), (0..100).collect::<Vec<_>>());
        assert_eq!(first["events"][0]["sender"], bob.id.as_str());
        let from = text(&first, "next_batch");
        let rest = alice.get(&format!("{events}?from={from}")).await.ok();
        assert_eq!(numbers(&rest), (100..150).collect::<Vec<_>>());
        assert_eq!(rest.get("next_batch"), None);
    }
    // As clients in use ask.
    let mut next = json!({});
    for expected in [100, 50, 0, 0] {
        let answer = alice.post(&events, next).await.ok();
        assert_eq!(numbers(&answer).len(), expected);
        next = json!({"next_batch": text(&answer, "next_batch")});
    }
    let answer = alice.get(&format!("{events}?from=nonsense")).await;
    answer.refused(400, "M_INVALID_PARAM");
}

async fn another_one_takes_its_place(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    put(&alice, "DRY").await.ok();
    send(&bob, &dehydrated(&alice, "DRY"), 1).await;
    for id in ["DRIER", "DRIER"] {
        put(&alice, id).await.ok();
        let shown = query(&bob, &alice.id).await;
        let devices = shown["device_keys"][&alice.id].as_object().unwrap();
        assert_eq!(devices.keys().collect::<Vec<_>>(), [id]);
        let events = alice.get(&format!("{PATH}/{id}/events")).await.ok();
        assert_eq!(events, json!({"events": []}));
    }
}

async fn it_is_deleted_with_all_that_belongs_to_it(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let delete = async || alice.request(Method::DELETE, PATH, String::new()).await;
    delete().await.refused(404, "M_NOT_FOUND");
    put(&alice, "DRY").await.ok();
    assert_eq!(delete().await.ok(), json!({"device_id": "DRY"}));
    alice.get(PATH).await.refused(404, "M_NOT_FOUND");
    let shown = query(&bob, &alice.id).await;
    assert_eq!(shown["device_keys"], json!({&alice.id: {}}));
    assert_eq!(claim(&bob, &dehydrated(&alice, "DRY")).await, [""; 0]);
    // And with all other devices.
    put(&alice, "DRY").await.ok();
    alice.post("/logout/all", json!({})).await.ok();
    let alice = log_in(server, "alice", "NEW").await;
    alice.get(PATH).await.refused(404, "M_NOT_FOUND");
}

async fn only_the_dehydrated_device_s_messages_are_shown(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    put(&bob, "DRY").await.ok();
    for id in ["DRY", &alice.device] {
        let events = format!("{PATH}/{}/events", encode(id));
        alice.get(&events).await.refused(403, "M_FORBIDDEN");
        let answer = alice.post(&events, json!({})).await;
        answer.refused(403, "M_FORBIDDEN");
    }
}

async fn odd_dehydrated_devices_are_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    for key in ["device_id", "device_data", "device_keys"] {
        let mut odd = body(&alice, "DRY");
        odd.as_object_mut().unwrap().remove(key);
        let answer = alice.put(PATH, odd).await;
        answer.refused(400, "M_MISSING_PARAM");
    }
    for (key, odd) in [
        ("device_id", json!("OTHER")),
        ("device_id", json!("")),
        ("device_data", json!({})),
        ("initial_device_display_name", json!("x".repeat(256))),
        ("one_time_keys", json!({"nonsense": "abc"})),
    ] {
        let mut odd_body = body(&alice, "DRY");
        odd_body[key] = odd.clone();
        let answer = alice.put(PATH, odd_body).await;
        assert_eq!(answer.code(), (400, "M_INVALID_PARAM"), "{key} {odd}");
    }
    let mut large = body(&alice, "DRY");
    large["device_data"]["device_pickle"] = "x".repeat(70_000).into();
    alice.put(PATH, large).await.refused(413, "M_TOO_LARGE");
    put(&alice, &alice.device).await.refused(403, "M_FORBIDDEN");
    alice.get(PATH).await.refused(404, "M_NOT_FOUND");
}
