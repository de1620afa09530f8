//! `GET /_matrix/key/v2/server`

use std::time::Duration;

use myelin_accounts::rotate_signing_key;
use myelin_core::event::PublicKeys;
use myelin_testkit::{SeededChance, TestServer, covers, three_modes};
use ruma::{serde::Base64, signatures::verify_json};
use serde_json::Value;

three_modes!(
    the_keys_are_signed_by_themselves,
    a_new_key_takes_the_place_of_the_old_one,
);

covers! {
    "GET /_matrix/key/v2/server":
        works = the_keys_are_signed_by_themselves;
}

async fn keys_of(server: &TestServer) -> Value {
    let answer = server.get("/_matrix/key/v2/server").await.ok();
    assert_eq!(answer["server_name"], server.name());
    let keys = answer["verify_keys"].as_object().expect("keys");
    let signatures = answer["signatures"][server.name()].as_object();
    assert!(signatures.expect("signatures").keys().eq(keys.keys()));
    let parsed = keys.iter().map(|(id, key)| {
        let key = Base64::parse(key["key"].as_str().expect("a key")).expect("base64");
        (id.clone(), key)
    });
    let map = PublicKeys::from([(server.name().to_owned(), parsed.collect())]);
    let object = serde_json::from_value(answer.clone()).expect("canonical JSON");
    verify_json(&map, &object).expect("the signatures hold");
    answer
}

async fn the_keys_are_signed_by_themselves(server: &TestServer) {
    let answer = keys_of(server).await;
    let day_ms = 24 * 60 * 60 * 1000;
    assert_eq!(answer["valid_until_ts"], server.now_ms() + day_ms);
    assert_eq!(
        answer["verify_keys"].as_object().map(serde_json::Map::len),
        Some(1)
    );
    assert_eq!(answer["old_verify_keys"], serde_json::json!({}));
}

async fn a_new_key_takes_the_place_of_the_old_one(server: &TestServer) {
    let ids = |answer: &Value, section: &str| -> Vec<String> {
        let keys = answer[section].as_object().expect("keys");
        keys.keys().cloned().collect()
    };
    let old = ids(&keys_of(server).await, "verify_keys").remove(0);
    let hours = |hours: u64| Duration::from_hours(hours).as_millis().try_into().unwrap();
    let chance = SeededChance::new(77);
    let new = rotate_signing_key(&server.stores()[0], server.clock(), &chance, hours(2)).await;
    let new = new.expect("the key can be changed");

    // Both count, on nodes that sign with the old one and on those that were started again.
    for _ in 0..2 {
        for _ in 0..2 {
            let answer = keys_of(server).await;
            let mut both = vec![old.clone(), new.clone()];
            both.sort();
            assert_eq!(ids(&answer, "verify_keys"), both);
            assert_eq!(ids(&answer, "old_verify_keys"), Vec::<String>::new());
            let soon: u64 = hours(2);
            assert_eq!(answer["valid_until_ts"], server.now_ms() + soon);
        }
        server.restart().await;
    }
    let end = server.now_ms() + hours(2);
    server.clock().advance(Duration::from_hours(2));
    for _ in 0..2 {
        let answer = keys_of(server).await;
        assert_eq!(ids(&answer, "verify_keys"), [new.as_str()]);
        assert_eq!(ids(&answer, "old_verify_keys"), [old.as_str()]);
        assert_eq!(answer["old_verify_keys"][&old]["expired_ts"], end);
    }
}
