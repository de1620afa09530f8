//! `GET /_matrix/client/v1/rooms/{roomId}/timestamp_to_event`

use std::time::Duration;

use myelin_testkit::{Answer, TestServer, User, encode, three_modes};
use serde_json::json;

use crate::covers;

three_modes!(
    finds_the_nearest_event_in_a_direction,
    finds_only_what_is_visible,
    strangers_find_nothing,
    refuses_bad_parameters,
);

covers! {
    "GET /_matrix/client/v1/rooms/{roomId}/timestamp_to_event":
        works = finds_the_nearest_event_in_a_direction,
        400 = refuses_bad_parameters,
        403 = strangers_find_nothing,
        404 = finds_the_nearest_event_in_a_direction,
        outsider = strangers_find_nothing;
}

async fn finds_the_nearest_event_in_a_direction(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    server.clock().advance(Duration::from_secs(10));
    let one = alice.send(&room, "one").await;
    let also_one = alice.send(&room, "also one").await;
    let at_one = server.now_ms();
    server.clock().advance(Duration::from_secs(10));
    let two = alice.send(&room, "two").await;
    let at_two = server.now_ms();
    for (time, direction, wanted) in [
        (at_one - 5, "f", &one),
        (at_one, "f", &one),
        (at_one, "b", &also_one),
        (at_one + 5, "f", &two),
        (at_one + 5, "b", &also_one),
        (at_two, "f", &two),
        (at_two + 5, "b", &two),
    ] {
        let answer = get(&alice, &room, time, direction).await.ok();
        assert_eq!(answer["event_id"], **wanted, "{time} {direction}");
        let at = if wanted == &two { at_two } else { at_one };
        assert_eq!(answer["origin_server_ts"], at);
    }
    for (time, direction) in [(at_two + 1, "f"), (0, "b")] {
        let answer = get(&alice, &room, time, direction).await;
        answer.refused(404, "M_NOT_FOUND");
    }
}

async fn finds_only_what_is_visible(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    server.clock().advance(Duration::from_millis(10));
    let hidden = json!({"history_visibility": "joined"});
    let kind = "m.room.history_visibility";
    alice.set_state(&room, kind, "", hidden).await.ok();
    server.clock().advance(Duration::from_millis(10));
    let start = server.now_ms();
    for number in 0..120 {
        alice.send(&room, &number.to_string()).await;
    }
    server.clock().advance(Duration::from_millis(10));
    bob.join(&room).await.ok();
    let joined = server.now_ms();
    server.clock().advance(Duration::from_millis(10));
    bob.leave(&room).await.ok();
    let left = server.now_ms();
    server.clock().advance(Duration::from_millis(10));
    alice.send(&room, "later").await;
    let found = get(&bob, &room, start, "f").await.ok();
    assert_eq!(found["origin_server_ts"], joined);
    let found = get(&bob, &room, server.now_ms(), "b").await.ok();
    assert_eq!(found["origin_server_ts"], left);
    let answer = get(&bob, &room, server.now_ms(), "f").await;
    answer.refused(404, "M_NOT_FOUND");
}

async fn strangers_find_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    for room in [&room, "!nowhere:localhost"] {
        get(&bob, room, 0, "f").await.refused(403, "M_FORBIDDEN");
    }
}

async fn refuses_bad_parameters(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    for (query, errcode) in [
        ("dir=f", "M_MISSING_PARAM"),
        ("ts=1", "M_MISSING_PARAM"),
        ("ts=now&dir=f", "M_INVALID_PARAM"),
        ("ts=1&dir=up", "M_INVALID_PARAM"),
    ] {
        let path = format!(
            "/_matrix/client/v1/rooms/{}/timestamp_to_event?{query}",
            encode(&room)
        );
        alice.get(&path).await.refused(400, errcode);
    }
}

async fn get(user: &User, room: &str, time: u64, direction: &str) -> Answer {
    let path = format!(
        "/_matrix/client/v1/rooms/{}/timestamp_to_event",
        encode(room)
    );
    user.get(&format!("{path}?ts={time}&dir={direction}")).await
}
