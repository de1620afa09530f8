//! `GET /_matrix/client/api/v1/rooms/{roomId}/members`

use std::time::Duration;

use myelin_testkit::{TestServer, text, three_modes};
use serde_json::{Value, json};

use super::{get, post, room_path};

three_modes!(
    lists_every_membership,
    tells_when_each_was_active,
    members_alone_may_look,
);

async fn lists_every_membership(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let answer = post(server, &alice, "/createRoom", json!({})).await.ok();
    let room = text(&answer, "room_id");
    bob.join(&room).await.ok();
    bob.leave(&room).await.ok();
    let friend = json!({"user_id": "@myfriend:localhost"});
    post(server, &alice, &room_path(&room, "invite"), friend)
        .await
        .ok();
    let members = get(server, &alice, &room_path(&room, "members")).await.ok();
    assert_eq!(
        (&members["start"], &members["end"]),
        (&json!("START"), &json!("END"))
    );
    let shown: Vec<(String, String)> = members["chunk"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            assert_eq!(event["type"], "m.room.member");
            assert!(event["user_id"].is_string(), "{event}");
            assert_eq!(event["content"]["membership"], event["membership"]);
            (text(event, "state_key"), text(event, "membership"))
        })
        .collect();
    let wanted = [
        (alice.id.clone(), "join".to_owned()),
        (bob.id.clone(), "leave".to_owned()),
        ("@myfriend:localhost".to_owned(), "invite".to_owned()),
    ];
    assert_eq!(shown, wanted);
}

async fn tells_when_each_was_active(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    // The invitation is alice's act, and says nothing of whom she invited.
    let friend = json!({"user_id": "@myfriend:localhost"});
    post(server, &alice, &room_path(&room, "invite"), friend)
        .await
        .ok();
    server.clock().advance(Duration::from_mins(5));
    bob.send(&room, "hello").await;
    server.clock().advance(Duration::from_mins(1));
    let members = get(server, &alice, &room_path(&room, "members")).await.ok();
    let ago = |user: &str| -> Value {
        let mut chunk = members["chunk"].as_array().unwrap().iter();
        let event = chunk.find(|event| event["state_key"] == user).unwrap();
        event["content"]["last_active_ago"].clone()
    };
    assert_eq!(ago(&alice.id), 360_000);
    assert_eq!(ago(&bob.id), 60_000);
    assert_eq!(ago("@myfriend:localhost"), Value::Null);
}

async fn members_alone_may_look(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    for room in [&room, "!unheard-of:localhost"] {
        get(server, &bob, &room_path(room, "members"))
            .await
            .refused(403, "M_FORBIDDEN");
    }
}
