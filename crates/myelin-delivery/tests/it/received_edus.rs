//! EDUs that are received.

use std::time::Duration;

use myelin_store::{
    WriteSet,
    early_receipts::{self, EarlyReceipt},
};
use myelin_testkit::{Peer, TestServer, encode, pdu, three_modes, wait_until};
use ruma::ServerName;
use serde_json::{Value, json, value::to_raw_value};

use crate::support::shared_room;

three_modes! {
    typing_of_another_server_is_shown,
    receipts_of_another_server_are_shown,
    receipts_wait_for_what_was_read,
    receipts_for_what_never_comes_are_given_up,
    presence_of_another_server_is_shown,
    cve_2019_receipts_of_somebody_elses_users_are_not_believed,
    malformed_edus_are_dropped_alone,
    a_room_that_keeps_a_server_out_hears_nothing_of_it,
    a_transaction_brings_edus,
}

async fn receive(server: &TestServer, origin: &str, edu_type: &str, content: Value) {
    let edu = json!({"edu_type": edu_type, "content": content});
    let edu = to_raw_value(&edu).unwrap();
    let origin = <&ServerName>::try_from(origin).unwrap();
    server.rooms().receive_edu(origin, &edu).await.unwrap();
}

/// The ephemeral events of a room in a sync.
fn ephemeral<'a>(sync: &'a Value, room: &str, event_type: &str) -> Vec<&'a Value> {
    let events = sync["rooms"]["join"][room]["ephemeral"]["events"].as_array();
    let events = events.into_iter().flatten();
    events.filter(|event| event["type"] == event_type).collect()
}

async fn typing_of_another_server_is_shown(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = shared_room(server, (&alice, &peer)).await;
    let (room_id, bob) = (room.id.as_str(), room.user("bob"));
    let typing =
        |user: &str, typing| json!({"room_id": room_id, "user_id": user, "typing": typing});
    // Neither users of another server than the one that speaks nor strangers to the room.
    receive(server, "peer.example", "m.typing", typing(&alice.id, true)).await;
    receive(
        server,
        "other.example",
        "m.typing",
        typing(bob.as_str(), true),
    )
    .await;
    receive(
        server,
        "peer.example",
        "m.typing",
        typing("@eve:peer.example", true),
    )
    .await;
    receive(
        server,
        "peer.example",
        "m.typing",
        typing(bob.as_str(), true),
    )
    .await;
    let users = async || {
        let sync = alice.sync(None).await;
        let events = ephemeral(&sync, room_id, "m.typing");
        events
            .first()
            .map(|event| event["content"]["user_ids"].clone())
    };
    wait_until("bob types", async || users().await == Some(json!([bob]))).await;
    receive(
        server,
        "peer.example",
        "m.typing",
        typing(bob.as_str(), false),
    )
    .await;
    wait_until("bob types no more", async || {
        users().await.is_none_or(|users| users == json!([]))
    })
    .await;
}

async fn receipts_of_another_server_are_shown(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = shared_room(server, (&alice, &peer)).await;
    let (room_id, bob) = (room.id.as_str(), room.user("bob"));
    let event = alice.send(room_id, "read me").await;
    let next = alice.send(room_id, "and me").await;
    let receipt = |event: &str, ts: i64| json!({room_id: {"m.read": {bob.as_str(): {"event_ids": [event], "data": {"ts": ts}}}}});
    receive(server, "peer.example", "m.receipt", receipt(&next, 7)).await;
    // An older one that comes late takes nothing back.
    receive(server, "peer.example", "m.receipt", receipt(&event, 8)).await;
    let sync = alice.sync(None).await;
    let receipts = ephemeral(&sync, room_id, "m.receipt");
    let content = &receipts[0]["content"];
    assert_eq!(content[&next]["m.read"][bob.as_str()], json!({"ts": 7}));
    assert!(content.get(&event).is_none());
}

async fn receipts_wait_for_what_was_read(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let mut room = shared_room(server, (&alice, &peer)).await;
    let (room_id, bob) = (room.id.to_string(), room.user("bob"));
    let dan = room.user("dan");
    let join = room.set(
        &dan,
        "m.room.member",
        dan.as_str(),
        json!({"membership": "join"}),
    );
    room.receive(server, &join).await;
    let shown = async || {
        let sync = alice.sync(None).await;
        let receipts = ephemeral(&sync, &room_id, "m.receipt");
        receipts.first().map(|event| event["content"].clone())
    };
    // With the event, in one transaction: it is worked off after that.
    let (first, second) = (room.message(&dan, "one"), room.message(&dan, "two"));
    let receipt = |event: &str| {
        let read = json!({"event_ids": [event], "data": {"ts": 7}});
        let content = json!({room_id.as_str(): {"m.read": {bob.as_str(): read}}});
        json!({"edu_type": "m.receipt", "content": content})
    };
    let edus = vec![receipt(first.event_id.as_str())];
    peer.transaction(server, vec![pdu(&first)], edus).await.ok();
    let at_first = json!({&*first.event_id: {"m.read": {bob.as_str(): {"ts": 7}}}});
    wait_until("the receipt is there", async || {
        shown().await == Some(at_first.clone())
    })
    .await;
    // Long before it.
    let edus = vec![receipt(second.event_id.as_str())];
    peer.transaction(server, Vec::new(), edus).await.ok();
    assert_eq!(shown().await, Some(at_first));
    peer.transaction(server, vec![pdu(&second)], Vec::new())
        .await
        .ok();
    let at_second = json!({&*second.event_id: {"m.read": {bob.as_str(): {"ts": 7}}}});
    wait_until("the next one, too", async || {
        shown().await == Some(at_second.clone())
    })
    .await;
    assert_eq!(waiting(server, &room_id).await, 0);
}

/// How many receipts wait in a room.
async fn waiting(server: &TestServer, room_id: &str) -> i64 {
    let store = server.stores()[0].clone();
    let room = store.find_interned(room_id.as_bytes()).await.unwrap();
    early_receipts::count(&mut store.read(), room.unwrap(), 5_000)
        .await
        .unwrap()
}

/// Lets so many receipts of nobody's wait.
async fn fill(server: &TestServer, room_id: &str, count: i64) {
    let store = server.stores()[0].clone();
    let room = store.find_interned(room_id.as_bytes()).await.unwrap();
    let mut writes = WriteSet::new();
    for user in 0..count {
        let receipt = EarlyReceipt {
            room: room.unwrap(),
            event_id: "$never".to_owned(),
            user,
            thread: None,
            ts_ms: 0,
            received_ms: i64::try_from(server.now_ms()).unwrap(),
        };
        early_receipts::insert(&mut writes, &receipt);
    }
    store.commit(writes).await.unwrap();
}

async fn receipts_for_what_never_comes_are_given_up(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let mut room = shared_room(server, (&alice, &peer)).await;
    let (room_id, bob) = (room.id.to_string(), room.user("bob"));
    let receive = async |event: &str, thread: &str| {
        let data = json!({"ts": 7, "thread_id": thread});
        let read = json!({"event_ids": [event], "data": data});
        let content = json!({room_id.as_str(): {"m.read": {bob.as_str(): read}}});
        receive(server, "peer.example", "m.receipt", content).await;
    };
    let long = format!("${}", "a".repeat(255));
    receive(&long, "main").await;
    receive("$nothing", &long).await;
    assert_eq!(waiting(server, &room_id).await, 0);
    fill(server, &room_id, 999).await;
    for number in 0..3 {
        receive(&format!("$nothing{number}"), "main").await;
    }
    assert_eq!(waiting(server, &room_id).await, 1_000);
    server
        .clock()
        .advance(Duration::from_secs(24 * 60 * 60 + 1));
    let event = room.message(&bob, "hello");
    room.send(server, &[&event]).await.ok();
    wait_until("they are gone", async || {
        waiting(server, &room_id).await == 0
    })
    .await;
}

async fn cve_2019_receipts_of_somebody_elses_users_are_not_believed(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = shared_room(server, (&alice, &peer)).await;
    let (room_id, bob) = (room.id.as_str(), room.user("bob"));
    let event = alice.send(room_id, "read me").await;
    let read = json!({"event_ids": [event], "data": {"ts": 7}});
    let of = |user: &str| json!({room_id: {"m.read": {user: read}}});
    receive(server, "peer.example", "m.receipt", of(&alice.id)).await;
    receive(server, "other.example", "m.receipt", of(bob.as_str())).await;
    receive(server, "peer.example", "m.receipt", of("@eve:peer.example")).await;
    let sync = alice.sync(None).await;
    assert!(ephemeral(&sync, room_id, "m.receipt").is_empty());
}

async fn presence_of_another_server_is_shown(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = shared_room(server, (&alice, &peer)).await;
    let bob = room.user("bob");
    let push = |user: &str| {
        json!({"push": [
            {"user_id": user, "presence": "nonsense"},
            7,
            {"user_id": user, "presence": "unavailable", "last_active_ago": 5_000,
             "status_msg": "tea"},
        ]})
    };
    receive(server, "other.example", "m.presence", push(bob.as_str())).await;
    receive(server, "peer.example", "m.presence", push(&alice.id)).await;
    receive(server, "peer.example", "m.presence", push(bob.as_str())).await;
    let path = format!("/presence/{}/status", encode(bob.as_str()));
    wait_until("bob is there", async || {
        alice.get(&path).await.ok()["presence"] == "unavailable"
    })
    .await;
    let found = alice.get(&path).await.ok();
    assert_eq!(found["status_msg"], "tea");
    assert_eq!(found["last_active_ago"], 5_000);
    let sync = alice.sync(None).await;
    let events = sync["presence"]["events"].as_array().unwrap();
    let of_bob = events.iter().find(|event| event["sender"] == bob.as_str());
    assert_eq!(of_bob.unwrap()["content"]["presence"], "unavailable");
    let own = alice
        .get(&format!("/presence/{}/status", encode(&alice.id)))
        .await
        .ok();
    assert_ne!(own["status_msg"], "tea");
}

async fn malformed_edus_are_dropped_alone(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = shared_room(server, (&alice, &peer)).await;
    let (room_id, bob) = (room.id.as_str(), room.user("bob"));
    let event = alice.send(room_id, "read me").await;
    let origin = <&ServerName>::try_from("peer.example").unwrap();
    for edu in [
        "7",
        "{}",
        r#"{"edu_type":7,"content":{}}"#,
        r#"{"edu_type":"m.typing"}"#,
    ] {
        let edu = serde_json::from_str(edu).unwrap();
        let edu: Box<serde_json::value::RawValue> = edu;
        server.rooms().receive_edu(origin, &edu).await.unwrap();
    }
    for (edu_type, content) in [
        ("m.typing", json!({"room_id": 7})),
        (
            "m.typing",
            json!({"room_id": "!a", "user_id": "nobody", "typing": true}),
        ),
        ("m.presence", json!({"push": 7})),
        ("m.presence", json!([])),
        ("m.receipt", json!([1, 2])),
        ("m.direct_to_device", json!({"messages": {}})),
        ("m.device_list_update", json!(null)),
        ("org.example.unknown", json!({})),
    ] {
        receive(server, "peer.example", edu_type, content).await;
    }
    let good = json!({"event_ids": [event], "data": {"ts": 7}});
    let content = json!({
        "nonsense": {"m.read": {bob.as_str(): good}},
        "!unknown:peer.example": {"m.read": {bob.as_str(): good}},
        room_id: {"m.other": 7, "m.read": {
            "@a:peer.example": 7,
            "@b:peer.example": {"event_ids": [], "data": {"ts": 1}},
            "@c:peer.example": {"event_ids": ["$no"], "data": {"ts": "1"}},
            bob.as_str(): good,
        }},
    });
    receive(server, "peer.example", "m.receipt", content).await;
    let sync = alice.sync(None).await;
    let receipts = ephemeral(&sync, room_id, "m.receipt");
    let read = &receipts[0]["content"][&event]["m.read"];
    assert_eq!(read.as_object().unwrap().len(), 1);
}

async fn a_room_that_keeps_a_server_out_hears_nothing_of_it(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = shared_room(server, (&alice, &peer)).await;
    let (room_id, bob) = (room.id.as_str(), room.user("bob"));
    let event = alice.send(room_id, "read me").await;
    let acl = json!({"allow": ["*"], "deny": ["PEER.example"]});
    alice
        .set_state(room_id, "m.room.server_acl", "", acl)
        .await
        .ok();
    let typing = json!({"room_id": room_id, "user_id": bob, "typing": true});
    receive(server, "peer.example", "m.typing", typing).await;
    let read = json!({"event_ids": [event], "data": {"ts": 7}});
    let receipt = json!({room_id: {"m.read": {bob.as_str(): read}}});
    receive(server, "peer.example", "m.receipt", receipt).await;
    let sync = alice.sync(None).await;
    assert!(ephemeral(&sync, room_id, "m.receipt").is_empty());
    assert!(ephemeral(&sync, room_id, "m.typing").is_empty());
}

async fn a_transaction_brings_edus(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = shared_room(server, (&alice, &peer)).await;
    let (room_id, bob) = (room.id.as_str(), room.user("bob"));
    let content = json!({"room_id": room_id, "user_id": bob, "typing": true});
    let typing = json!({"edu_type": "m.typing", "content": content});
    let sent = peer
        .transaction(server, Vec::new(), vec![json!(7), typing])
        .await;
    sent.ok();
    wait_until("bob types", async || {
        let sync = alice.sync(None).await;
        let events = ephemeral(&sync, room_id, "m.typing");
        events
            .first()
            .is_some_and(|event| event["content"]["user_ids"] == json!([bob]))
    })
    .await;
}
