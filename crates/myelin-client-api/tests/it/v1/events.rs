//! `GET /_matrix/client/api/v1/events`

use http::Method;
use myelin_testkit::{TestServer, User, encode, text, three_modes};
use serde_json::{Value, json};

use super::{call, get, post};

three_modes!(
    nothing_new_is_nothing,
    wakes_up_for_a_message,
    brings_everything_once_and_in_order,
    brings_rooms_made_and_invites_got_meanwhile,
    every_way_to_say_now_is_now,
    takes_a_token_of_2014,
    refuses_strangers_and_bad_parameters,
);

async fn nothing_new_is_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    alice.create_room().await;
    let events = get(server, &alice, "/events?timeout=0").await.ok();
    assert_eq!(events["chunk"], json!([]));
    assert_eq!(events["start"], events["end"]);
    let path = format!("/events?timeout=50&from={}", text(&events, "end"));
    let events = get(server, &alice, &path).await.ok();
    assert_eq!(events["chunk"], json!([]));
    assert_eq!(events["start"], events["end"]);
}

async fn wakes_up_for_a_message(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let mut from = now(server, &alice).await;
    for number in 0..4 {
        let path = format!("/events?from={from}&timeout=15000");
        let body = number.to_string();
        let (events, sent) = tokio::join!(get(server, &alice, &path), bob.send(&room, &body));
        let events = events.ok();
        assert_eq!(ids(&events), [sent]);
        assert_eq!(events["start"], from);
        from = text(&events, "end");
    }
}

async fn brings_everything_once_and_in_order(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let mut from = now(server, &alice).await;
    let mut sent = Vec::new();
    for number in 0..50 {
        sent.push(alice.send(&room, &number.to_string()).await);
    }
    let mut found = Vec::new();
    loop {
        let events = get(server, &alice, &format!("/events?from={from}&timeout=0"))
            .await
            .ok();
        from = text(&events, "end");
        let ids = ids(&events);
        if ids.is_empty() {
            break;
        }
        found.extend(ids);
    }
    assert_eq!(found, sent);
}

async fn brings_rooms_made_and_invites_got_meanwhile(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let from = now(server, &alice).await;
    let own = text(
        &post(server, &alice, "/createRoom", json!({})).await.ok(),
        "room_id",
    );
    let other = bob.create_room().await;
    bob.invite(&other, &alice).await.ok();
    let events = get(server, &alice, &format!("/events?from={from}&timeout=0"))
        .await
        .ok();
    let membership = |room: &str| {
        let mut events = events["chunk"].as_array().unwrap().iter();
        let event = events.find(|event| event["room_id"] == room && event["state_key"] == alice.id);
        event.unwrap()["content"]["membership"].clone()
    };
    assert_eq!(membership(&own), "join");
    assert_eq!(membership(&other), "invite");
    let chunk = events["chunk"].as_array().unwrap();
    let of_other = chunk
        .iter()
        .filter(|event| event["room_id"] == other)
        .count();
    assert_eq!(
        of_other, 1,
        "an invite shows nothing else of the room: {events}"
    );
    assert!(
        chunk.iter().any(|event| event["type"] == "m.room.create"),
        "{events}"
    );
}

async fn every_way_to_say_now_is_now(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    alice.send(&room, "hello").await;
    for query in ["", "&from=", "&from=END"] {
        let events = get(server, &alice, &format!("/events?timeout=0{query}"))
            .await
            .ok();
        assert_eq!(events["chunk"], json!([]), "{query}");
    }
}

async fn takes_a_token_of_2014(server: &TestServer) {
    let alice = server.user("alice").await;
    let events = get(server, &alice, "/events?from=s39000_18_0&timeout=0")
        .await
        .ok();
    for key in ["chunk", "start", "end"] {
        assert!(events.get(key).is_some(), "{events}");
    }
}

async fn refuses_strangers_and_bad_parameters(server: &TestServer) {
    call(server, Method::GET, "/events", "")
        .await
        .refused(403, "M_FORBIDDEN");
    let alice = server.user("alice").await;
    for query in ["timeout=soon", "from=garbage&timeout=0"] {
        let answer = get(server, &alice, &format!("/events?{query}")).await;
        assert_eq!(answer.status, 400, "{query}: {}", answer.text);
        assert!(answer.body["errcode"].is_string(), "{}", answer.text);
    }
}

async fn now(server: &TestServer, user: &User) -> String {
    encode(&text(
        &get(server, user, "/events?timeout=0").await.ok(),
        "end",
    ))
}

/// Presence has no id.
fn ids(events: &Value) -> Vec<String> {
    let events = events["chunk"].as_array().unwrap().iter();
    events
        .filter_map(|event| Some(event["event_id"].as_str()?.to_owned()))
        .collect()
}
