//! Tokens: the stream goes on where a client left it, whatever happened to the server.

use myelin_testkit::{TestServer, User, text, three_modes};
use serde_json::{Value, json};

use super::{get, post};

three_modes!(
    nothing_is_lost_by_a_restart,
    tokens_have_the_shape_of_2014,
    leaving_comes_through_the_stream,
    a_room_joined_after_the_token_brings_what_happened_since,
    must_not_be_kept_by_caches,
    refuses_places_in_a_room,
);

async fn nothing_is_lost_by_a_restart(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let mut from = text(&get(server, &alice, "/events?timeout=0").await.ok(), "end");
    let mut sent = Vec::new();
    for number in 0..50 {
        sent.push(alice.send(&room, &number.to_string()).await);
    }
    server.restart().await;
    let mut found = Vec::new();
    loop {
        let events = get(server, &alice, &format!("/events?timeout=0&from={from}"))
            .await
            .ok();
        from = text(&events, "end");
        let events = events["chunk"].as_array().unwrap().clone();
        if events.is_empty() {
            break;
        }
        found.extend(events.iter().map(|event| text(event, "event_id")));
    }
    assert_eq!(found, sent);
}

async fn tokens_have_the_shape_of_2014(server: &TestServer) {
    let alice = server.user("alice").await;
    alice.create_room().await;
    let sync = get(server, &alice, "/initialSync").await.ok();
    let parts = |token: &str, letter: char| {
        let parts: Vec<String> = token
            .strip_prefix(letter)
            .unwrap()
            .split('_')
            .map(str::to_owned)
            .collect();
        assert_eq!(parts.len(), 3, "{token}");
        parts
    };
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()) && !part.is_empty();
    assert!(
        parts(&text(&sync, "end"), 's')
            .iter()
            .all(|part| is_number(part))
    );
    let messages = &sync["rooms"][0]["messages"];
    assert_eq!(messages["end"], sync["end"]);
    let start = parts(&text(messages, "start"), 't');
    let (depth, order) = start[0].split_once('-').unwrap();
    assert!(
        [depth, order, &start[1], &start[2]]
            .into_iter()
            .all(is_number)
    );
}

async fn leaving_comes_through_the_stream(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let from = text(&get(server, &bob, "/events?timeout=0").await.ok(), "end");
    post(server, &bob, &super::room_path(&room, "leave"), json!({}))
        .await
        .ok();
    alice.send(&room, "Bob does not see this").await;
    let chunk = events_since(server, &bob, &from).await;
    assert_eq!(chunk.len(), 1, "{chunk:?}");
    assert_eq!(chunk[0]["content"]["membership"], "leave");
    assert_eq!(chunk[0]["content"]["prev"], "join");
    assert_eq!(chunk[0]["prev_content"]["membership"], "join");
    assert_eq!(chunk[0]["room_id"], room.as_str());
}

async fn a_room_joined_after_the_token_brings_what_happened_since(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    alice.send(&room, "before the token").await;
    let from = text(&get(server, &bob, "/events?timeout=0").await.ok(), "end");
    let after = alice.send(&room, "after the token").await;
    bob.join(&room).await.ok();
    let chunk = events_since(server, &bob, &from).await;
    assert_eq!(chunk[0]["event_id"], after.as_str());
    assert_eq!(chunk[1]["state_key"], bob.id.as_str());
    assert_eq!(chunk[1]["membership"], "join");
    assert_eq!(chunk.len(), 2, "the join comes once: {chunk:?}");
}

async fn must_not_be_kept_by_caches(server: &TestServer) {
    let alice = server.user("alice").await;
    let answer = get(server, &alice, "/events?timeout=0&from=END").await;
    assert_eq!(answer.headers["cache-control"], "no-store");
}

async fn refuses_places_in_a_room(server: &TestServer) {
    let alice = server.user("alice").await;
    for query in [
        "from=t1-1_0_0",
        "from=START",
        "limit=many",
        "from=END&from=END",
    ] {
        let answer = get(server, &alice, &format!("/events?timeout=0&{query}")).await;
        answer.refused(400, "M_INVALID_PARAM");
    }
}

async fn events_since(server: &TestServer, user: &User, from: &str) -> Vec<Value> {
    let events = get(server, user, &format!("/events?timeout=0&from={from}"))
        .await
        .ok();
    events["chunk"].as_array().unwrap().clone()
}
