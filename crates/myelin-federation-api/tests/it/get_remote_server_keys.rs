//! `GET /_matrix/key/v2/query/{serverName}`

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::Method;
use myelin_core::event::PublicKeys;
use myelin_testkit::{Peer, TestServer, covers, three_modes};
use ruma::{serde::Base64, signatures::verify_json};
use serde_json::{Value, json};

three_modes!(
    keys_of_others_are_told_and_signed,
    an_answer_is_kept_for_half_of_its_life,
    what_was_known_of_a_server_that_is_gone_is_told,
    nothing_is_told_of_who_was_never_there,
    our_own_keys_are_told,
    what_is_no_server_name_is_refused,
);

covers! {
    "GET /_matrix/key/v2/query/{serverName}":
        works = keys_of_others_are_told_and_signed;
}

const QUERY: &str = "/_matrix/key/v2/query/peer.example";

/// The public keys in an answer of `/_matrix/key/v2/server`.
pub(crate) fn public_keys(answer: &Value) -> PublicKeys {
    let name = answer["server_name"].as_str().expect("a name").to_owned();
    let keys = answer["verify_keys"].as_object().expect("keys");
    let parsed = keys.iter().map(|(id, key)| {
        let key = Base64::parse(key["key"].as_str().expect("a key")).expect("base64");
        (id.clone(), key)
    });
    PublicKeys::from([(name, parsed.collect())])
}

/// Checks an answer that a peer and this server have signed.
pub(crate) async fn assert_signed_by_both(server: &TestServer, answer: &Value) {
    let mut keys = public_keys(answer);
    keys.extend(public_keys(
        &server.get("/_matrix/key/v2/server").await.ok(),
    ));
    let signers = answer["signatures"].as_object().expect("signatures");
    assert_eq!(signers.len(), 2, "{answer}");
    let object = serde_json::from_value(answer.clone()).expect("canonical JSON");
    verify_json(&keys, &object).expect("both signatures hold");
}

/// The peer tells keys that are valid for so long, and counts how often.
fn tell(peer: &Arc<Peer>, server: &TestServer, life: Duration) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let mut keys = peer.keys();
    let life_ms = u64::try_from(life.as_millis()).unwrap();
    keys["valid_until_ts"] = json!(server.now_ms() + life_ms);
    keys.as_object_mut().unwrap().remove("signatures");
    let keys = peer.sign(keys);
    peer.answer(Method::GET, "/_matrix/key/v2/server", move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        (200, keys.clone())
    });
    count
}

async fn keys_of_others_are_told_and_signed(server: &TestServer) {
    let peer = Peer::start(server.network(), "peer.example");
    let answer = server.get(QUERY).await.ok();
    let answers = answer["server_keys"].as_array().expect("a list");
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0]["server_name"], "peer.example");
    assert_eq!(answers[0]["verify_keys"], peer.keys()["verify_keys"]);
    assert_signed_by_both(server, &answers[0]).await;
}

async fn an_answer_is_kept_for_half_of_its_life(server: &TestServer) {
    let peer = Peer::start(server.network(), "peer.example");
    let count = tell(&peer, server, Duration::from_hours(4));
    let asked = async |path: &str| {
        for _ in 0..4 {
            let answer = server.get(path).await.ok();
            assert_eq!(answer["server_keys"].as_array().map(Vec::len), Some(1));
        }
        count.swap(0, Ordering::Relaxed)
    };
    assert_eq!(asked(QUERY).await, 1);
    server.clock().advance(Duration::from_mins(119));
    assert_eq!(asked(QUERY).await, 0);
    // One is needed that is valid for longer: each node asks, once.
    let longer = server.now_ms() + 10 * 60 * 60 * 1000;
    let path = format!("{QUERY}?minimum_valid_until_ts={longer}");
    assert!((1..=2).contains(&asked(&path).await));
    server.clock().advance(Duration::from_mins(121));
    assert_eq!(asked(QUERY).await.min(1), 1);
}

async fn what_was_known_of_a_server_that_is_gone_is_told(server: &TestServer) {
    let peer = Peer::start(server.network(), "peer.example");
    let known = server.get(QUERY).await.ok();
    server.network().set_cut_off("peer.example", true);
    server.clock().advance(Duration::from_hours(1000));
    assert_eq!(server.get(QUERY).await.ok(), known);
    drop(peer);
}

async fn nothing_is_told_of_who_was_never_there(server: &TestServer) {
    let answer = server.get("/_matrix/key/v2/query/gone.example").await.ok();
    assert_eq!(answer, json!({"server_keys": []}));
}

async fn our_own_keys_are_told(server: &TestServer) {
    let path = format!("/_matrix/key/v2/query/{}", server.name());
    let own = server.get("/_matrix/key/v2/server").await.ok();
    let answer = server.get(&path).await.ok();
    assert_eq!(answer, json!({"server_keys": [own]}));
}

async fn what_is_no_server_name_is_refused(server: &TestServer) {
    for name in ["no_name", "a%2Fb", "a:b"] {
        let answer = server.get(&format!("/_matrix/key/v2/query/{name}")).await;
        answer.refused(400, "M_INVALID_PARAM");
    }
    let path = format!("{QUERY}?minimum_valid_until_ts=x");
    server.get(&path).await.refused(400, "M_INVALID_PARAM");
}
