//! `POST /_matrix/client/v3/join/{roomIdOrAlias}` and `POST /_matrix/client/v3/rooms/{roomId}/join`

use myelin_testkit::{TestServer, encode, text, three_modes};
use serde_json::json;

three_modes!(
    joins_a_public_room_by_id_and_alias,
    joins_a_private_room_only_with_an_invite,
    joining_twice_does_nothing,
    rejoins_after_leaving,
    refuses_rooms_that_are_not_there,
    refuses_what_is_no_room,
);

async fn joins_a_public_room_by_id_and_alias(server: &TestServer) {
    let alice = server.user("alice").await;
    let request = json!({"preset": "public_chat", "room_alias_name": "tea"});
    let room = alice.create_room_with(request).await;
    let paths = [
        format!("/join/{}", encode(&room)),
        format!("/join/{room}"),
        "/join/%23tea%3Alocalhost".to_owned(),
        format!("/rooms/{}/join", encode(&room)),
    ];
    for (number, path) in paths.iter().enumerate() {
        let user = server.user(&format!("user{number}")).await;
        let answer = user.post(path, json!({})).await.ok();
        assert_eq!(text(&answer, "room_id"), room, "{path}");
        user.send(&room, "here I am").await;
        let member = alice.state(&room, "m.room.member", &user.id).await.ok();
        assert_eq!(member["membership"], "join");
    }
}

async fn joins_a_private_room_only_with_an_invite(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_room().await;
    bob.join(&room).await.refused(403, "M_FORBIDDEN");
    alice.invite(&room, &bob).await.ok();
    bob.join(&room).await.ok();
}

async fn joining_twice_does_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_public_room().await;
    let newest = async || alice.messages(&room, "dir=b&limit=1").await.ok()["chunk"].clone();
    let before = newest().await;
    for _ in 0..3 {
        assert_eq!(text(&alice.join(&room).await.ok(), "room_id"), room);
    }
    assert_eq!(newest().await, before);
}

async fn rejoins_after_leaving(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    bob.leave(&room).await.ok();
    bob.join(&room).await.ok();
    bob.send(&room, "back again").await;
}

async fn refuses_rooms_that_are_not_there(server: &TestServer) {
    let alice = server.user("alice").await;
    alice
        .join("!nowhere:localhost")
        .await
        .refused(404, "M_NOT_FOUND");
    alice
        .join("#nowhere:localhost")
        .await
        .refused(404, "M_NOT_FOUND");
}

async fn refuses_what_is_no_room(server: &TestServer) {
    let alice = server.user("alice").await;
    for name in ["nonsense", "@alice:localhost", "#", "%00"] {
        let answer = alice.join(name).await;
        assert_eq!(answer.status, 400, "{name}: {}", answer.text);
        answer.refused(400, "M_INVALID_PARAM");
    }
}
