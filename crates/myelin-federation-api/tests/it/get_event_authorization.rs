//! `GET /_matrix/federation/v1/event_auth/{roomId}/{eventId}`.

use myelin_testkit::{TestServer, covers, encode, three_modes};
use serde_json::{Value, json};

use crate::serving::{Setting, path};

three_modes!(
    gives_what_vouches_for_an_event,
    only_servers_in_the_room_may_ask,
    unknown_events_are_not_found
);

covers! {
    "GET /_matrix/federation/v1/event_auth/{roomId}/{eventId}":
        works = gives_what_vouches_for_an_event,
        403 = only_servers_in_the_room_may_ask,
        404 = unknown_events_are_not_found,
        outsider = only_servers_in_the_room_may_ask;
}

fn at(setting: &Setting, event_id: &str) -> String {
    path(
        "event_auth",
        &setting.room_id,
        &format!("/{}", encode(event_id)),
    )
}

async fn gives_what_vouches_for_an_event(server: &TestServer) {
    let body = json!({"preset": "public_chat", "room_version": "11"});
    let setting = Setting::with(server, body).await;
    let event = setting.alice.send(&setting.room_id, "one").await;
    let answer = setting
        .room
        .peer
        .get(server, &at(&setting, &event))
        .await
        .ok();
    let chain = answer["auth_chain"].as_array().unwrap();
    let mut kinds: Vec<&str> = chain
        .iter()
        .map(|pdu| pdu["type"].as_str().unwrap())
        .collect();
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        ["m.room.create", "m.room.member", "m.room.power_levels"]
    );
}

/// CVE-2022-39335: the chain was given to anybody.
async fn only_servers_in_the_room_may_ask(server: &TestServer) {
    let setting = Setting::new(server).await;
    let event = setting.alice.send(&setting.room_id, "one").await;
    let asked = at(&setting, &event);
    setting.keeps_others_out(server, &asked, Value::Null).await;
}

async fn unknown_events_are_not_found(server: &TestServer) {
    let setting = Setting::new(server).await;
    let asked = at(&setting, "$unknown");
    setting
        .room
        .peer
        .get(server, &asked)
        .await
        .refused(404, "M_NOT_FOUND");
}
