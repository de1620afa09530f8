//! `GET /_matrix/federation/v1/event/{eventId}`.

use myelin_testkit::{TestServer, covers, encode, three_modes};
use serde_json::{Value, json};

use crate::serving::Setting;

three_modes!(
    gives_an_event_as_it_was_signed,
    only_servers_in_the_room_may_ask,
    unknown_events_are_not_found,
    hidden_events_are_not_found
);

covers! {
    "GET /_matrix/federation/v1/event/{eventId}":
        works = gives_an_event_as_it_was_signed,
        403 = only_servers_in_the_room_may_ask,
        404 = unknown_events_are_not_found;
}

fn at(event_id: &str) -> String {
    format!("/_matrix/federation/v1/event/{}", encode(event_id))
}

async fn gives_an_event_as_it_was_signed(server: &TestServer) {
    let setting = Setting::new(server).await;
    let event = setting.alice.send(&setting.room_id, "one").await;
    let answer = setting.room.peer.get(server, &at(&event)).await.ok();
    assert_eq!(answer["origin"], server.name());
    let pdu = &answer["pdus"][0];
    assert_eq!(pdu["content"]["body"], "one");
    assert!(pdu["signatures"][server.name()].is_object());
    assert!(pdu["unsigned"].is_null(), "{pdu}");
}

async fn only_servers_in_the_room_may_ask(server: &TestServer) {
    let setting = Setting::new(server).await;
    let event = setting.alice.send(&setting.room_id, "one").await;
    setting
        .keeps_others_out(server, &at(&event), Value::Null)
        .await;
}

async fn unknown_events_are_not_found(server: &TestServer) {
    let setting = Setting::new(server).await;
    let answer = setting.room.peer.get(server, &at("$unknown")).await;
    answer.refused(404, "M_NOT_FOUND");
}

async fn hidden_events_are_not_found(server: &TestServer) {
    let joined = json!({"type": "m.room.history_visibility", "state_key": "",
        "content": {"history_visibility": "joined"}});
    let alice = server.user("alice").await;
    let body = json!({"preset": "public_chat", "initial_state": [joined]});
    let room_id = alice.create_room_with(body).await;
    let before = alice.send(&room_id, "before").await;
    let peer = myelin_testkit::Peer::start(server.network(), "peer.example");
    myelin_testkit::PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
    let after = alice.send(&room_id, "after").await;
    peer.get(server, &at(&before))
        .await
        .refused(404, "M_NOT_FOUND");
    peer.get(server, &at(&after)).await.ok();
}
