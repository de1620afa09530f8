//! `POST /_matrix/client/api/v1/rooms/{roomId}/invite` and `.../join`, and
//! `POST /_matrix/client/api/v1/join/{roomIdOrAlias}`

use myelin_testkit::{TestServer, encode, text, three_modes};
use serde_json::json;

use super::{get, post, room_path};

three_modes!(
    invites_whom_nobody_has_heard_of,
    an_invite_opens_a_private_room,
    joins_by_alias_and_by_id,
    joining_twice_does_nothing,
    members_alone_may_invite,
    refuses_what_cannot_be_joined,
    refuses_bad_bodies,
);

async fn invites_whom_nobody_has_heard_of(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_public_room().await;
    let path = room_path(&room, "invite");
    let answer = post(
        server,
        &alice,
        &path,
        json!({"user_id": "@myfriend:localhost"}),
    )
    .await;
    assert_eq!(answer.ok(), json!({}));
    let sync = get(server, &alice, "/initialSync").await.ok();
    let state = sync["rooms"][0]["state"].as_array().unwrap();
    let event = state
        .iter()
        .find(|event| event["state_key"] == "@myfriend:localhost")
        .unwrap();
    assert_eq!(event["user_id"], alice.id);
    assert_eq!(event["membership"], "invite");
    assert_eq!(event["content"]["membership"], "invite");
}

async fn an_invite_opens_a_private_room(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_room().await;
    let join = room_path(&room, "join");
    post(server, &bob, &join, json!({}))
        .await
        .refused(403, "M_FORBIDDEN");
    let path = room_path(&room, "invite");
    post(server, &alice, &path, json!({"user_id": bob.id}))
        .await
        .ok();
    post(server, &bob, &join, json!({"membership": "join"}))
        .await
        .ok();
}

async fn joins_by_alias_and_by_id(server: &TestServer) {
    let alice = server.user("alice").await;
    let request = json!({"preset": "public_chat", "room_alias_name": "tutorial"});
    let room = alice.create_room_with(request).await;
    for (name, path) in [
        ("bob", "/join/%23tutorial%3Alocalhost".to_owned()),
        ("carol", format!("/join/{}", encode(&room))),
        ("dave", room_path(&room, "join")),
    ] {
        let user = server.user(name).await;
        let answer = post(server, &user, &path, json!({})).await.ok();
        if path.starts_with("/join") {
            assert_eq!(text(&answer, "room_id"), room);
        }
        user.send(&room, "here I am").await;
    }
}

async fn joining_twice_does_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let request = json!({"preset": "public_chat", "room_alias_name": "tutorial"});
    let room = alice.create_room_with(request).await;
    let before = alice.messages(&room, "dir=b&limit=1").await.ok()["chunk"].clone();
    for path in [
        "/join/%23tutorial%3Alocalhost".to_owned(),
        room_path(&room, "join"),
    ] {
        post(server, &alice, &path, json!({})).await.ok();
    }
    assert_eq!(
        alice.messages(&room, "dir=b&limit=1").await.ok()["chunk"],
        before
    );
}

async fn members_alone_may_invite(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    let path = room_path(&room, "invite");
    let body = json!({"user_id": "@myfriend:localhost"});
    post(server, &bob, &path, body)
        .await
        .refused(403, "M_FORBIDDEN");
    bob.join(&room).await.ok();
    // Who is in the room already cannot be invited.
    post(server, &alice, &path, json!({"user_id": bob.id}))
        .await
        .refused(403, "M_FORBIDDEN");
}

async fn refuses_what_cannot_be_joined(server: &TestServer) {
    let alice = server.user("alice").await;
    let answer = post(server, &alice, "/join/%23nowhere%3Alocalhost", json!({})).await;
    answer.refused(404, "M_NOT_FOUND");
    for path in ["/join/nonsense", "/rooms//join"] {
        let answer = post(server, &alice, path, json!({})).await;
        assert!(
            [400, 404].contains(&answer.status),
            "{path}: {}",
            answer.text
        );
        assert!(answer.body["errcode"].is_string(), "{}", answer.text);
    }
}

async fn refuses_bad_bodies(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_public_room().await;
    let path = room_path(&room, "invite");
    for body in [
        json!({}),
        json!({"user_id": 5}),
        json!({"user_id": "nobody"}),
        json!([]),
    ] {
        let answer = post(server, &alice, &path, body).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert!(answer.body["errcode"].is_string(), "{}", answer.text);
    }
}
