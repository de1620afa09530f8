//! `GET /_matrix/federation/v1/state/{roomId}` and `GET /_matrix/federation/v1/state_ids/{roomId}`.

use std::collections::BTreeSet;

use myelin_core::event;
use myelin_testkit::{PeerEvent, TestServer, covers, encode, three_modes};
use ruma::RoomVersionId;
use serde_json::{Value, json};

use crate::serving::{Setting, path};

three_modes!(
    gives_the_state_before_an_event,
    the_ids_are_those_of_the_events,
    only_servers_in_the_room_may_ask,
    unknown_events_are_not_found,
    rejected_events_are_no_state
);

covers! {
    "GET /_matrix/federation/v1/state/{roomId}":
        works = gives_the_state_before_an_event,
        403 = only_servers_in_the_room_may_ask,
        404 = unknown_events_are_not_found,
        outsider = only_servers_in_the_room_may_ask;
    "GET /_matrix/federation/v1/state_ids/{roomId}":
        works = the_ids_are_those_of_the_events,
        403 = only_servers_in_the_room_may_ask,
        404 = unknown_events_are_not_found,
        outsider = only_servers_in_the_room_may_ask;
}

fn at(endpoint: &str, setting: &Setting, event_id: &str) -> String {
    let rest = format!("?event_id={}", encode(event_id));
    path(endpoint, &setting.room_id, &rest)
}

fn topic(state: &Value) -> Vec<&str> {
    let events = state["pdus"].as_array().unwrap().iter();
    let topics = events.filter(|pdu| pdu["type"] == "m.room.topic");
    topics
        .map(|pdu| pdu["content"]["topic"].as_str().unwrap())
        .collect()
}

async fn gives_the_state_before_an_event(server: &TestServer) {
    let setting = Setting::new(server).await;
    let mut events = Vec::new();
    for name in ["one", "two"] {
        let content = json!({"topic": name});
        let alice = &setting.alice;
        let set = alice
            .set_state(&setting.room_id, "m.room.topic", "", content)
            .await
            .ok();
        events.push(set["event_id"].as_str().unwrap().to_owned());
    }
    let peer = &setting.room.peer;
    let state = async |event: &str| peer.get(server, &at("state", &setting, event)).await.ok();
    assert_eq!(topic(&state(&events[0]).await), [""; 0]);
    let second = state(&events[1]).await;
    assert_eq!(topic(&second), ["one"]);
    let kinds: BTreeSet<&str> = second["pdus"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pdu| pdu["type"].as_str().unwrap())
        .collect();
    assert!(kinds.contains("m.room.create") && kinds.contains("m.room.power_levels"));
    // Alice's first member event vouches for the others, and stands in the state itself.
    assert!(second["auth_chain"].is_array());
}

async fn the_ids_are_those_of_the_events(server: &TestServer) {
    let setting = Setting::new(server).await;
    let levels = json!({"users": {&setting.alice.id: 100}, "state_default": 60});
    let alice = &setting.alice;
    alice
        .set_state(
            &setting.room_id,
            "m.room.power_levels",
            "",
            json!({"users": {}}),
        )
        .await;
    alice
        .set_state(&setting.room_id, "m.room.power_levels", "", levels)
        .await;
    let event = alice.send(&setting.room_id, "one").await;
    let peer = &setting.room.peer;
    let ids = peer
        .get(server, &at("state_ids", &setting, &event))
        .await
        .ok();
    let state = peer.get(server, &at("state", &setting, &event)).await.ok();
    for (list, names) in [("pdus", "pdu_ids"), ("auth_chain", "auth_chain_ids")] {
        let given: BTreeSet<String> = state[list]
            .as_array()
            .unwrap()
            .iter()
            .map(|pdu| {
                let event = event::parse(pdu.to_string().as_bytes(), &RoomVersionId::V12);
                event.unwrap().event_id.to_string()
            })
            .collect();
        let named: BTreeSet<String> = ids[names]
            .as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_str().unwrap().to_owned())
            .collect();
        assert_eq!(given, named, "{list}");
    }
    assert!(!ids["pdu_ids"].as_array().unwrap().is_empty());
}

/// CVE-2022-39335 and its like: who is not in the room is told nothing.
async fn only_servers_in_the_room_may_ask(server: &TestServer) {
    for endpoint in ["state", "state_ids"] {
        let alice = server.user(&format!("alice-{}", endpoint.len())).await;
        let room_id = alice.create_public_room().await;
        let peer = myelin_testkit::Peer::start(server.network(), "peer.example");
        let member = (&alice, room_id.as_str());
        let room = myelin_testkit::PeerRoom::joined(&peer, server, member, "bob").await;
        let setting = Setting {
            alice,
            room_id,
            room,
        };
        let event = setting.alice.send(&setting.room_id, "one").await;
        let asked = at(endpoint, &setting, &event);
        setting.keeps_others_out(server, &asked, Value::Null).await;
    }
}

async fn unknown_events_are_not_found(server: &TestServer) {
    let setting = Setting::new(server).await;
    let other = setting.alice.create_room().await;
    let elsewhere = setting.alice.send(&other, "elsewhere").await;
    for endpoint in ["state", "state_ids"] {
        for event in ["$unknown", elsewhere.as_str()] {
            let asked = at(endpoint, &setting, event);
            let peer = &setting.room.peer;
            peer.get(server, &asked).await.refused(404, "M_NOT_FOUND");
        }
    }
}

/// CVE-2022-39374: a rejected event must not be state for anybody.
async fn rejected_events_are_no_state(server: &TestServer) {
    let mut setting = Setting::new(server).await;
    let bob = setting.room.user("bob");
    let bad = setting
        .room
        .set(&bob, "m.room.topic", "", json!({"topic": "mine"}));
    let outcome = server.rooms().receive_event(bad.clone()).await;
    assert!(matches!(
        outcome,
        Ok(myelin_rooms::Outcome::Rejected { .. })
    ));
    let after = setting.room.append(PeerEvent::text(&bob, "after"));
    setting.room.receive(server, &after).await;
    let asked = at("state", &setting, after.event_id.as_str());
    let state = setting.room.peer.get(server, &asked).await.ok();
    assert_eq!(topic(&state), [""; 0]);
}
