//! `GET /_matrix/key/v2/server`.

use myelin_core::event::PublicKeys;
use myelin_testkit::{TestServer, covers, three_modes};
use ruma::{serde::Base64, signatures::verify_json};

three_modes!(the_keys_are_signed_by_themselves);

covers! {
    "GET /_matrix/key/v2/server":
        works = the_keys_are_signed_by_themselves;
}

async fn the_keys_are_signed_by_themselves(server: &TestServer) {
    let answer = server.get("/_matrix/key/v2/server").await.ok();
    assert_eq!(answer["server_name"], server.name());
    assert!(answer["valid_until_ts"].as_u64() > Some(server.now_ms()));
    let keys = answer["verify_keys"].as_object().expect("keys");
    let parsed = keys.iter().map(|(id, key)| {
        let key = Base64::parse(key["key"].as_str().expect("a key")).expect("base64");
        (id.clone(), key)
    });
    let map = PublicKeys::from([(server.name().to_owned(), parsed.collect())]);
    let object = serde_json::from_value(answer.clone()).expect("canonical JSON");
    verify_json(&map, &object).expect("the signature holds");
}
