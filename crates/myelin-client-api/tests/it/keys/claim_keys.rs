//! `POST /keys/claim`

use myelin_store::{
    Store, WriteSet,
    one_time_keys::{self, OneTimeKey},
    sessions::{self, Device, NewTokens},
};
use myelin_testkit::{Mode, TestServer, least_cost, run, text, three_modes};
use serde_json::{Map, json};

use super::material::{
    ALGORITHM, claim, name_of, names, one_time_key, one_time_keys, upload, upload_one_time_keys,
};
use crate::{covers, send_event_to_device::log_in};

three_modes!(
    keys_are_given_out_once_in_the_order_of_their_upload,
    the_fallback_key_is_given_out_when_there_is_no_other,
    keys_of_many_devices_come_together,
    a_claim_ends_the_wait_of_the_owner_s_sync,
    what_nobody_has_is_left_out,
);

covers! {
    "POST /_matrix/client/v3/keys/claim":
        works = keys_are_given_out_once_in_the_order_of_their_upload;
}

async fn keys_are_given_out_once_in_the_order_of_their_upload(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    // The later upload has the smaller names.
    upload_one_time_keys(&alice, 10..12).await;
    upload_one_time_keys(&alice, 0..2).await;
    let body = json!({"one_time_keys": {&alice.id: {&alice.device: ALGORITHM}}});
    let first = bob.post("/keys/claim", body).await.ok();
    let key = json!({name_of(10): one_time_key(&alice, 10)});
    let expected = json!({
        "one_time_keys": {&alice.id: {&alice.device: key}},
        "failures": {},
    });
    assert_eq!(first, expected);
    server.restart().await;
    for number in [11, 0, 1] {
        assert_eq!(claim(&bob, &alice).await, [name_of(number)]);
    }
    assert_eq!(claim(&bob, &alice).await, [""; 0]);
    let sync = alice.sync(None).await;
    assert_eq!(sync["device_one_time_keys_count"], json!({}));
}

async fn the_fallback_key_is_given_out_when_there_is_no_other(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let fallback = json!({name_of(99): one_time_key(&alice, 99)});
    let body = json!({
        "one_time_keys": one_time_keys(&alice, 0..1),
        "fallback_keys": &fallback,
    });
    upload(&alice, body).await.ok();
    let since = text(&alice.sync(None).await, "next_batch");
    assert_eq!(claim(&bob, &alice).await, [name_of(0)]);
    let unused = async |since: &str| {
        let sync = alice.sync(Some(since)).await;
        sync["device_unused_fallback_key_types"].clone()
    };
    assert_eq!(unused(&since).await, json!([ALGORITHM]));
    for _ in 0..3 {
        assert_eq!(claim(&bob, &alice).await, [name_of(99)]);
        assert_eq!(unused(&since).await, json!([]));
    }
    // The same one again is as used as before, another one is not.
    upload(&alice, json!({"fallback_keys": fallback}))
        .await
        .ok();
    assert_eq!(unused(&since).await, json!([]));
    let other = json!({name_of(98): one_time_key(&alice, 98)});
    upload(&alice, json!({"fallback_keys": other})).await.ok();
    assert_eq!(unused(&since).await, json!([ALGORITHM]));
    upload_one_time_keys(&alice, 5..6).await;
    for number in [5, 98, 98] {
        assert_eq!(claim(&bob, &alice).await, [name_of(number)]);
    }
}

async fn keys_of_many_devices_come_together(server: &TestServer) {
    let phone = server.user("alice").await;
    let laptop = log_in(server, "alice", "LAPTOP").await;
    let bob = server.user("bob").await;
    for (number, user) in [&phone, &laptop, &bob].into_iter().enumerate() {
        upload_one_time_keys(user, number..number + 1).await;
    }
    let body = json!({"one_time_keys": {
        &phone.id: {&phone.device: ALGORITHM, &laptop.device: ALGORITHM},
        &bob.id: {&bob.device: ALGORITHM},
    }});
    let answer = bob.post("/keys/claim", body).await.ok();
    for (number, user) in [&phone, &laptop, &bob].into_iter().enumerate() {
        assert_eq!(names(&answer, user), [name_of(number)]);
    }
}

async fn a_claim_ends_the_wait_of_the_owner_s_sync(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let body = json!({
        "one_time_keys": one_time_keys(&alice, 0..1),
        "fallback_keys": {name_of(99): one_time_key(&alice, 99)},
    });
    upload(&alice, body).await.ok();
    let mut since = text(&alice.sync(None).await, "next_batch");
    for (count, unused) in [(json!({}), json!([ALGORITHM])), (json!({}), json!([]))] {
        let waiting = alice.sync_waiting(&since, 60_000);
        let (sync, _) = tokio::join!(waiting, claim(&bob, &alice));
        assert_eq!(sync["device_one_time_keys_count"], count);
        assert_eq!(sync["device_unused_fallback_key_types"], unused);
        // It would be the same if the time had run out.
        let next = text(&sync, "next_batch");
        assert_ne!(next, since);
        since = next;
    }
}

async fn what_nobody_has_is_left_out(server: &TestServer) {
    let alice = server.user("alice").await;
    upload_one_time_keys(&alice, 0..1).await;
    let body = json!({"one_time_keys": {
        &alice.id: {&alice.device: "unheard_of", "UNKNOWN": ALGORITHM},
        "@nobody:localhost": {"D": ALGORITHM},
        "@carol:elsewhere.example": {"D": ALGORITHM},
    }});
    let answer = alice.post("/keys/claim", body).await.ok();
    assert_eq!(answer["one_time_keys"], json!({}));
    let failures = answer["failures"].as_object().unwrap();
    assert_eq!(failures.keys().collect::<Vec<_>>(), ["elsewhere.example"]);
}

/// Only PostgreSQL is asked from afar; the embedded database works row by row.
#[test]
fn a_claim_for_a_thousand_devices_takes_five_statements() {
    run(Mode::Postgres, &async |server: &TestServer| {
        let alice = server.user("alice").await;
        let store = &server.stores()[0];
        let user = store.find_interned(alice.id.as_bytes()).await.unwrap();
        let devices = make_devices(store, user.unwrap(), 1_000).await;
        let claim_of = |count: usize| {
            let of = devices[..count].iter();
            let of: Map<_, _> = of.map(|id| (id.clone(), json!(ALGORITHM))).collect();
            json!({"one_time_keys": {&alice.id: of}})
        };
        let cost = async |count: usize| {
            let claim = async || {
                let answer = alice.post("/keys/claim", claim_of(count)).await.ok();
                let claimed = answer["one_time_keys"][&alice.id].as_object().unwrap();
                assert_eq!(claimed.len(), count);
            };
            least_cost(server, claim).await.statements
        };
        let of_one = cost(1).await;
        let of_all = cost(1_000).await;
        assert_eq!(of_one, of_all);
        // BEGIN, the node's row of the books, the keys, the log and COMMIT.
        let claim = 5;
        // Whose the access token is.
        let session = 1;
        assert_eq!(of_all, claim + session);
    });
}

async fn make_devices(store: &Store, user_number: i64, count: usize) -> Vec<String> {
    let algorithm = store.intern(&[ALGORITHM.as_bytes()]).await.unwrap()[0];
    let ids: Vec<String> = (0..count).map(|number| format!("D{number:04}")).collect();
    for slice in ids.chunks(100) {
        let mut writes = WriteSet::new();
        for id in slice {
            let device = Device {
                user_number,
                device_id: id.clone(),
                version: 1,
                ..Device::default()
            };
            let mut access = [0; 32];
            access[..id.len()].copy_from_slice(id.as_bytes());
            let tokens = NewTokens {
                access,
                expires_ms: None,
                refresh: None,
            };
            sessions::insert(&mut writes, &device, &tokens, 1);
            let keys: Vec<_> = (0..12)
                .map(|number| OneTimeKey {
                    algorithm,
                    key_id: format!("{number}"),
                    value: "{}".into(),
                })
                .collect();
            one_time_keys::insert(&mut writes, (user_number, id), None, &keys);
        }
        store.commit(writes).await.unwrap();
    }
    ids
}
