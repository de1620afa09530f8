//! `GET /_matrix/client/api/v1/initialSync`

use http::Method;
use myelin_testkit::{TestServer, text, three_modes};
use serde_json::{Value, json};

use super::{call, get, post};

three_modes!(
    shows_rooms_with_state_and_messages,
    the_limit_counts_messages_of_each_room,
    shows_an_invite_with_its_event,
    left_rooms_are_gone,
    its_end_continues_in_the_stream,
    refuses_strangers_and_bad_limits,
);

async fn shows_rooms_with_state_and_messages(server: &TestServer) {
    let alice = server.user("alice").await;
    let body = json!({"room_alias_name": "tutorial"});
    let room = text(
        &post(server, &alice, "/createRoom", body).await.ok(),
        "room_id",
    );
    let sent = alice.send(&room, "hello").await;
    let sync = get(server, &alice, "/initialSync").await.ok();
    let end = text(&sync, "end");
    let shape: Vec<&str> = end.strip_prefix('s').unwrap().split('_').collect();
    assert!(
        shape.len() == 3 && shape.iter().all(|part| part.parse::<u64>().is_ok()),
        "{end}"
    );
    let shown = &sync["rooms"][0];
    assert_eq!(shown["room_id"], room);
    assert_eq!(shown["membership"], "join");
    let messages = shown["messages"]["chunk"].as_array().unwrap();
    assert_eq!(
        messages.last().unwrap()["event_id"],
        sent,
        "the newest is last"
    );
    assert_eq!(shown["messages"]["end"], end);
    assert!(text(&shown["messages"], "start").starts_with('t'), "{sync}");
    let state = shown["state"].as_array().unwrap();
    for kind in [
        "m.room.create",
        "m.room.member",
        "m.room.power_levels",
        "m.room.join_rules",
    ] {
        assert!(
            state.iter().any(|event| event["type"] == kind),
            "{kind} in {sync}"
        );
    }
    let presence = sync["presence"].as_array().unwrap();
    let own = presence
        .iter()
        .find(|event| event["content"]["user_id"] == alice.id)
        .unwrap();
    assert_eq!(own["type"], "m.presence");
    assert!(own["content"]["last_active_ago"].is_u64(), "{own}");
}

async fn the_limit_counts_messages_of_each_room(server: &TestServer) {
    let alice = server.user("alice").await;
    let rooms = [alice.create_room().await, alice.create_room().await];
    for number in 0..12 {
        for room in &rooms {
            alice.send(room, &number.to_string()).await;
        }
    }
    for (query, wanted) in [("", 10), ("?limit=1", 1), ("?limit=3", 3)] {
        let sync = get(server, &alice, &format!("/initialSync{query}"))
            .await
            .ok();
        for room in sync["rooms"].as_array().unwrap() {
            let messages = room["messages"]["chunk"].as_array().unwrap();
            assert_eq!(messages.len(), wanted);
            assert_eq!(messages.last().unwrap()["content"]["body"], "11");
            assert!(room["state"].as_array().unwrap().len() > 3);
        }
    }
}

async fn shows_an_invite_with_its_event(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_room().await;
    alice.invite(&room, &bob).await.ok();
    let sync = get(server, &bob, "/initialSync").await.ok();
    let shown = &sync["rooms"][0];
    assert_eq!(shown["room_id"], room);
    assert_eq!(shown["membership"], "invite");
    assert_eq!(shown["inviter"], alice.id);
    let messages = shown["messages"]["chunk"].as_array().unwrap();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0]["state_key"], bob.id);
    assert_eq!(messages[0]["membership"], "invite");
}

async fn left_rooms_are_gone(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    alice.leave(&room).await.ok();
    let sync = get(server, &alice, "/initialSync").await.ok();
    assert_eq!(sync["rooms"], json!([]));
}

async fn its_end_continues_in_the_stream(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let end = text(&get(server, &alice, "/initialSync").await.ok(), "end");
    let sent = alice.send(&room, "hello").await;
    let path = format!("/events?from={end}&timeout=0");
    let events = get(server, &alice, &path).await.ok();
    let found: Vec<&Value> = events["chunk"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["event_id"] == sent)
        .collect();
    assert_eq!(found.len(), 1, "{events}");
}

async fn refuses_strangers_and_bad_limits(server: &TestServer) {
    let answer = call(server, Method::GET, "/initialSync", "").await;
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    answer.refused(403, "M_FORBIDDEN");
    let answer = call(
        server,
        Method::GET,
        "/initialSync?access_token=unheard-of",
        "",
    )
    .await;
    answer.refused(403, "M_UNKNOWN_TOKEN");
    let alice = server.user("alice").await;
    let answer = get(server, &alice, "/initialSync?limit=many").await;
    assert_eq!(answer.status, 400, "{}", answer.text);
}
