//! `PUT /_matrix/client/v3/rooms/{roomId}/typing/{userId}`

use myelin_testkit::{Answer, TestServer, User, encode, three_modes};
use serde_json::{Value, json};

use crate::covers;

three_modes!(
    typing_is_taken,
    nobody_types_for_another,
    who_is_not_in_the_room_does_not_type_there,
    refuses_bad_bodies,
);

covers! {
    "PUT /_matrix/client/v3/rooms/{roomId}/typing/{userId}":
        works = typing_is_taken,
        outsider = who_is_not_in_the_room_does_not_type_there;
}

async fn typing_is_taken(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    for body in [
        json!({"typing": true, "timeout": 30_000}),
        json!({"typing": true}),
        json!({"typing": true, "timeout": u64::MAX}),
        json!({"typing": true, "timeout": 0}),
        json!({"typing": false}),
        json!({"typing": false, "timeout": 1}),
    ] {
        assert_eq!(typing(&alice, &room, &alice, body).await.ok(), json!({}));
    }
}

async fn nobody_types_for_another(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    typing(&bob, &room, &alice, json!({"typing": true}))
        .await
        .refused(403, "M_FORBIDDEN");
}

async fn who_is_not_in_the_room_does_not_type_there(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    for room in [room.as_str(), "!nowhere:localhost"] {
        typing(&bob, room, &bob, json!({"typing": true}))
            .await
            .refused(403, "M_FORBIDDEN");
    }
}

async fn refuses_bad_bodies(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    for (body, code) in [
        (json!({}), "M_BAD_JSON"),
        (json!({"typing": "yes"}), "M_BAD_JSON"),
        (json!({"typing": true, "timeout": -1}), "M_BAD_JSON"),
        (json!({"typing": true, "timeout": "long"}), "M_BAD_JSON"),
        (json!([]), "M_BAD_JSON"),
    ] {
        let answer = typing(&alice, &room, &alice, body.clone()).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
        assert!(
            [code, "M_MISSING_PARAM"].contains(&answer.code().1),
            "{body}: {}",
            answer.text
        );
    }
    typing(&alice, "nowhere", &alice, json!({"typing": true}))
        .await
        .refused(400, "M_INVALID_PARAM");
}

/// Says that a user types in a room, or not.
pub(crate) async fn typing(user: &User, room: &str, who: &User, body: Value) -> Answer {
    let path = format!("/rooms/{}/typing/{}", encode(room), encode(&who.id));
    user.put(&path, body).await
}
