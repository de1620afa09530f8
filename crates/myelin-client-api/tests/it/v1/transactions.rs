//! The `PUT` forms: a transaction id behind the path, and a repetition does nothing again.

use http::Method;
use myelin_testkit::{Answer, TestServer, User, text, three_modes};
use serde_json::{Value, json};

use super::{call, get, post, room_path, with_token};

three_modes!(
    makes_a_room_once,
    invites_once,
    joins_and_leaves_once,
    sends_once_in_each_room,
    another_session_has_its_own_transactions,
);

async fn put(server: &TestServer, user: &User, path: &str, body: Value) -> Answer {
    call(
        server,
        Method::PUT,
        &with_token(user, path),
        &body.to_string(),
    )
    .await
}

async fn makes_a_room_once(server: &TestServer) {
    let alice = server.user("alice").await;
    let body = json!({"room_alias_name": "tea"});
    let first = put(server, &alice, "/createRoom/1", body.clone())
        .await
        .ok();
    assert_eq!(first["room_alias"], "#tea:localhost");
    // With an alias that is taken by now, and on another node.
    for _ in 0..2 {
        assert_eq!(
            put(server, &alice, "/createRoom/1", body.clone())
                .await
                .ok(),
            first
        );
    }
    let other = put(server, &alice, "/createRoom/2", json!({})).await.ok();
    assert_ne!(other["room_id"], first["room_id"]);
    let sync = get(server, &alice, "/initialSync").await.ok();
    assert_eq!(sync["rooms"].as_array().unwrap().len(), 2);
}

async fn invites_once(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_room().await;
    let path = room_path(&room, "invite/1");
    for _ in 0..3 {
        let answer = put(server, &alice, &path, json!({"user_id": bob.id})).await;
        assert_eq!(answer.ok(), json!({}));
    }
    assert_eq!(member_events(&alice, &room, &bob).await, ["invite"]);
    bob.join(&room).await.ok();
    // Bob is in the room now; the repetition is answered as the first time all the same.
    put(server, &alice, &path, json!({"user_id": bob.id}))
        .await
        .ok();
}

async fn joins_and_leaves_once(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    let by_id = room_path(&room, "join/1");
    let by_name = format!("/join/{}/1", myelin_testkit::encode(&room));
    let leave = room_path(&room, "leave/1");
    for path in [&by_id, &by_id, &by_name, &leave, &leave] {
        put(server, &bob, path, json!({})).await.ok();
    }
    // Late repetitions of what was done before the leave do not undo it.
    for path in [&by_id, &by_name] {
        put(server, &bob, path, json!({})).await.ok();
    }
    assert_eq!(member_events(&alice, &room, &bob).await, ["join", "leave"]);
}

async fn sends_once_in_each_room(server: &TestServer) {
    let alice = server.user("alice").await;
    let mut sent = Vec::new();
    for _ in 0..2 {
        let room = alice.create_room().await;
        let path = room_path(&room, "send/m.room.message/1");
        let body = json!({"msgtype": "m.text", "body": "once"});
        for _ in 0..2 {
            sent.push(text(
                &put(server, &alice, &path, body.clone()).await.ok(),
                "event_id",
            ));
        }
    }
    assert_eq!(sent[0], sent[1]);
    assert_eq!(sent[2], sent[3]);
    assert_ne!(sent[0], sent[2]);
}

async fn another_session_has_its_own_transactions(server: &TestServer) {
    let phone = server.user("alice").await;
    let room = phone.create_room().await;
    let login = json!({
        "type": "m.login.password",
        "user": "alice",
        "password": myelin_testkit::PASSWORD,
    });
    let answer = post(server, &phone, "/login", login).await.ok();
    let tablet = server.user_from(&answer);
    let path = room_path(&room, "send/m.room.message/1");
    let body = json!({"msgtype": "m.text", "body": "hello"});
    let first = put(server, &phone, &path, body.clone()).await.ok();
    let second = put(server, &tablet, &path, body).await.ok();
    assert_ne!(first["event_id"], second["event_id"]);
}

/// The memberships of a user in the order of their events.
async fn member_events(reader: &User, room: &str, member: &User) -> Vec<String> {
    let page = reader.messages(room, "dir=f&limit=100").await.ok();
    let events = page["chunk"].as_array().unwrap().iter();
    let events = events.filter(|event| event["state_key"] == member.id);
    events
        .map(|event| text(&event["content"], "membership"))
        .collect()
}
