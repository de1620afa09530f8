//! `POST /keys/upload` and `POST /keys/query`

use myelin_testkit::{TestServer, encode, three_modes};
use serde_json::json;

use super::material::{
    ALGORITHM, device_keys, name_of, one_time_key, one_time_keys, query, upload,
    upload_device_keys, upload_one_time_keys,
};
use crate::{covers, send_event_to_device::log_in};

three_modes!(
    keys_of_devices_are_shown,
    uploaded_device_keys_are_checked_against_their_schema,
    one_time_keys_are_checked_against_their_schema,
    keys_are_uploaded_all_or_none,
    the_same_key_again_changes_nothing,
    a_device_has_a_limited_number_of_one_time_keys,
    counts_are_shown_with_every_sync,
    keys_go_with_their_device,
    a_login_at_the_same_moment_finds_all_of_a_device_or_nothing,
    odd_queries_are_refused,
);

covers! {
    "POST /_matrix/client/v3/keys/upload":
        works = keys_of_devices_are_shown;
    "POST /_matrix/client/v3/keys/query":
        works = keys_of_devices_are_shown;
}

async fn keys_of_devices_are_shown(server: &TestServer) {
    let phone = server.user("alice").await;
    let laptop = log_in(server, "alice", "LAPTOP").await;
    let bob = server.user("bob").await;
    let answer = upload(&phone, json!({"device_keys": device_keys(&phone)})).await;
    assert_eq!(answer.ok(), json!({"one_time_key_counts": {}}));
    upload_device_keys(&laptop).await;
    let path = format!("/devices/{}", encode(&phone.device));
    phone
        .put(&path, json!({"display_name": "Phone"}))
        .await
        .ok();
    let mut shown_phone = device_keys(&phone);
    shown_phone["unsigned"] = json!({"device_display_name": "Phone"});
    let all = query(&bob, &phone.id).await;
    let both = json!({&phone.device: shown_phone.clone(), "LAPTOP": device_keys(&laptop)});
    assert_eq!(all["device_keys"], json!({&phone.id: both}));
    assert_eq!(all["failures"], json!({}));
    let body = json!({"device_keys": {
        &phone.id: [&phone.device, "UNKNOWN"],
        "@nobody:localhost": [],
        &bob.id: [],
        "@carol:elsewhere.example": [],
    }});
    let some = bob.post("/keys/query", body).await.ok();
    let one = json!({&phone.device: shown_phone});
    let expected = json!({&phone.id: one, &bob.id: {}});
    assert_eq!(some["device_keys"], expected);
    let failures = some["failures"].as_object().unwrap();
    assert_eq!(failures.keys().collect::<Vec<_>>(), ["elsewhere.example"]);
}

/// CVE-2025-61672: one user's odd keys must not break what others do with them.
async fn uploaded_device_keys_are_checked_against_their_schema(server: &TestServer) {
    let alice = server.user("alice").await;
    for (key, odd) in [
        ("user_id", json!("@bob:localhost")),
        ("device_id", json!("OTHER")),
        ("algorithms", json!("m.olm")),
        ("keys", json!({"ed25519:OTHER": "abc"})),
        ("keys", json!({})),
        ("signatures", json!({&alice.id: "abc"})),
        ("signatures", json!(null)),
        ("half", json!(0.5)),
    ] {
        let mut keys = device_keys(&alice);
        keys[key] = odd.clone();
        let answer = upload(&alice, json!({"device_keys": keys})).await;
        assert_eq!(answer.code(), (400, "M_INVALID_PARAM"), "{key} {odd}");
    }
    let answer = upload(&alice, json!({"device_keys": []})).await;
    answer.refused(400, "M_BAD_JSON");
    let mut large = device_keys(&alice);
    large["more"] = "x".repeat(70_000).into();
    let answer = upload(&alice, json!({"device_keys": large})).await;
    answer.refused(413, "M_TOO_LARGE");
    let shown = query(&alice, &alice.id).await;
    assert_eq!(shown["device_keys"], json!({&alice.id: {}}));
}

async fn one_time_keys_are_checked_against_their_schema(server: &TestServer) {
    let alice = server.user("alice").await;
    let good = one_time_key(&alice, 1);
    for (name, key) in [
        ("nonsense", good.clone()),
        (":A", good.clone()),
        ("signed_curve25519:", good.clone()),
        ("signed_curve25519:A", json!("unsigned")),
        ("signed_curve25519:A", json!({"key": "abc"})),
        ("curve25519:A", json!(7)),
    ] {
        for kind in ["one_time_keys", "fallback_keys"] {
            let answer = upload(&alice, json!({kind: {name: &key}})).await;
            assert_eq!(answer.code(), (400, "M_INVALID_PARAM"), "{name} {key}");
        }
    }
    let two = json!({name_of(1): &good, name_of(2): &good});
    let answer = upload(&alice, json!({"fallback_keys": two})).await;
    answer.refused(400, "M_INVALID_PARAM");
    let answer = upload(&alice, json!({"one_time_keys": {"curve25519:A": "abc"}})).await;
    let counts = json!({"one_time_key_counts": {"curve25519": 1}});
    assert_eq!(answer.ok(), counts);
}

async fn keys_are_uploaded_all_or_none(server: &TestServer) {
    let alice = server.user("alice").await;
    let mut keys = one_time_keys(&alice, 0..3);
    keys["nonsense"] = json!("abc");
    let body = json!({"device_keys": device_keys(&alice), "one_time_keys": keys});
    upload(&alice, body).await.refused(400, "M_INVALID_PARAM");
    let nothing = upload(&alice, json!({})).await.ok();
    assert_eq!(nothing["one_time_key_counts"], json!({}));
    let shown = query(&alice, &alice.id).await;
    assert_eq!(shown["device_keys"], json!({&alice.id: {}}));
}

async fn the_same_key_again_changes_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    upload_one_time_keys(&alice, 0..2).await;
    let again = upload_one_time_keys(&alice, 0..3).await;
    assert_eq!(again, json!({ALGORITHM: 3}));
    let other = json!({"one_time_keys": {name_of(1): one_time_key(&alice, 9)}});
    upload(&alice, other).await.refused(400, "M_INVALID_PARAM");
    upload_device_keys(&alice).await;
    let since = alice.sync(None).await["next_batch"].clone();
    upload_device_keys(&alice).await;
    let sync = alice.sync(since.as_str()).await;
    assert_eq!(sync["device_lists"]["changed"], json!([]));
}

async fn a_device_has_a_limited_number_of_one_time_keys(server: &TestServer) {
    let alice = server.user("alice").await;
    for start in [0, 400] {
        upload_one_time_keys(&alice, start..start + 400).await;
    }
    let body = json!({"one_time_keys": one_time_keys(&alice, 800..1_001)});
    upload(&alice, body).await.refused(413, "M_TOO_LARGE");
    let counts = upload_one_time_keys(&alice, 800..1_000).await;
    assert_eq!(counts, json!({ALGORITHM: 1_000}));
}

async fn counts_are_shown_with_every_sync(server: &TestServer) {
    let alice = server.user("alice").await;
    let sync = alice.sync(None).await;
    assert_eq!(sync["device_one_time_keys_count"], json!({}));
    assert_eq!(sync["device_unused_fallback_key_types"], json!([]));
    let body = json!({
        "one_time_keys": one_time_keys(&alice, 0..5),
        "fallback_keys": {name_of(99): one_time_key(&alice, 99)},
    });
    upload(&alice, body).await.ok();
    for since in [None, sync["next_batch"].as_str()] {
        let sync = alice.sync(since).await;
        assert_eq!(sync["device_one_time_keys_count"], json!({ALGORITHM: 5}));
        let unused = &sync["device_unused_fallback_key_types"];
        assert_eq!(*unused, json!([ALGORITHM]));
    }
    // Another device has its own.
    let laptop = log_in(server, "alice", "LAPTOP").await;
    let sync = laptop.sync(None).await;
    assert_eq!(sync["device_one_time_keys_count"], json!({}));
}

async fn keys_go_with_their_device(server: &TestServer) {
    let alice = server.user("alice").await;
    let tablet = log_in(server, "alice", "TABLET").await;
    let body = json!({
        "device_keys": device_keys(&tablet),
        "one_time_keys": one_time_keys(&tablet, 0..5),
        "fallback_keys": {name_of(99): one_time_key(&tablet, 99)},
    });
    upload(&tablet, body).await.ok();
    let since = alice.sync(None).await["next_batch"].clone();
    tablet.post("/logout", json!({})).await.ok();
    let sync = alice.sync(since.as_str()).await;
    assert_eq!(sync["device_lists"]["changed"], json!([&alice.id]));
    let shown = query(&alice, &alice.id).await;
    assert_eq!(shown["device_keys"], json!({&alice.id: {}}));
    // Its id is that of a new device from now on.
    let tablet = log_in(server, "alice", "TABLET").await;
    let sync = tablet.sync(None).await;
    assert_eq!(sync["device_one_time_keys_count"], json!({}));
    assert_eq!(sync["device_unused_fallback_key_types"], json!([]));
    assert_eq!(super::material::claim(&alice, &tablet).await, [""; 0]);
}

async fn odd_queries_are_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    for endpoint in ["/keys/query", "/keys/claim"] {
        let answer = alice.post(endpoint, json!({})).await;
        answer.refused(400, "M_MISSING_PARAM");
    }
    let nobody = json!({"device_keys": {"nonsense": []}});
    let answer = alice.post("/keys/query", nobody).await;
    answer.refused(400, "M_INVALID_PARAM");
    for odd in [json!([]), json!({&alice.id: "all"})] {
        let answer = alice.post("/keys/query", json!({"device_keys": odd})).await;
        answer.refused(400, "M_BAD_JSON");
    }
    for odd in [
        json!([]),
        json!({&alice.id: ["D"]}),
        json!({&alice.id: {"D": 1}}),
    ] {
        let answer = alice
            .post("/keys/claim", json!({"one_time_keys": odd}))
            .await;
        answer.refused(400, "M_BAD_JSON");
    }
}

async fn a_login_at_the_same_moment_finds_all_of_a_device_or_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    for round in 0..6 {
        let tablet = log_in(server, "alice", "TABLET").await;
        let body = json!({
            "device_keys": device_keys(&tablet),
            "one_time_keys": one_time_keys(&tablet, 0..2),
        });
        upload(&tablet, body).await.ok();
        let path = format!("/sendToDevice/org.example.note/{round}");
        let body = json!({"messages": {&alice.id: {"TABLET": {"n": round}}}});
        alice.put(&path, body).await.ok();
        let (_, again) = tokio::join!(
            tablet.post("/logout", json!({})),
            log_in(server, "alice", "TABLET")
        );
        let shown = query(&alice, &alice.id).await;
        let has_keys = shown["device_keys"][&alice.id].get("TABLET").is_some();
        let sync = again.get("/sync").await;
        if sync.status == 200 {
            let counts = &sync.body["device_one_time_keys_count"];
            let messages = sync.body["to_device"]["events"].as_array().unwrap();
            assert_eq!(*counts != json!({}), has_keys, "round {round}");
            assert_eq!(!messages.is_empty(), has_keys, "round {round}");
            again.post("/logout", json!({})).await.ok();
        } else {
            assert!(!has_keys, "round {round}");
        }
    }
}
