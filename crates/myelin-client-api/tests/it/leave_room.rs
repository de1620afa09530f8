//! `POST /_matrix/client/v3/rooms/{roomId}/leave`

use http::Method;
use myelin_testkit::{TestServer, encode, three_modes};
use serde_json::json;

use crate::{
    covers,
    membership::{act, member, membership},
};

three_modes!(
    leaves_a_room,
    declines_an_invitation,
    who_has_left_may_ask_again,
    strangers_have_nothing_to_leave,
    refuses_bad_bodies,
);

covers! {
    "POST /_matrix/client/v3/rooms/{roomId}/leave":
        works = leaves_a_room,
        outsider = strangers_have_nothing_to_leave;
}

async fn leaves_a_room(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let answer = act(&bob, &room, "leave", json!({"reason": "late"})).await;
    assert_eq!(answer.ok(), json!({}));
    let content = json!({"membership": "leave", "reason": "late"});
    assert_eq!(member(&alice, &room, &bob).await, content);
    bob.send_event(&room, "m.room.message", "1", json!({}))
        .await
        .refused(403, "M_FORBIDDEN");
}

async fn declines_an_invitation(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_room().await;
    alice.invite(&room, &bob).await.ok();
    bob.leave(&room).await.ok();
    assert_eq!(membership(&alice, &room, &bob).await, "leave");
    bob.join(&room).await.refused(403, "M_FORBIDDEN");
}

async fn who_has_left_may_ask_again(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    bob.leave(&room).await.ok();
    let newest = async || alice.messages(&room, "dir=b&limit=1").await.ok()["chunk"].clone();
    let before = newest().await;
    bob.leave(&room).await.ok();
    assert_eq!(newest().await, before);
    // Who was thrown out did not leave.
    bob.join(&room).await.ok();
    act(&alice, &room, "kick", json!({"user_id": bob.id}))
        .await
        .ok();
    bob.leave(&room).await.refused(403, "M_FORBIDDEN");
}

async fn strangers_have_nothing_to_leave(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    for room in [&*room, "!nowhere:localhost"] {
        bob.leave(room).await.refused(403, "M_FORBIDDEN");
    }
}

async fn refuses_bad_bodies(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let path = format!("/rooms/{}/leave", encode(&room));
    for (body, errcode) in [
        ("{", "M_NOT_JSON"),
        ("[]", "M_BAD_JSON"),
        ("{\"reason\":1}", "M_BAD_JSON"),
    ] {
        let answer = alice.request(Method::POST, &path, body.to_owned()).await;
        answer.refused(400, errcode);
    }
    assert_eq!(membership(&alice, &room, &alice).await, "join");
}
