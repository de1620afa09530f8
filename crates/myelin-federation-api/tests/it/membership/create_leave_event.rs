//! `PUT /_matrix/federation/v2/send_leave/{roomId}/{eventId}`.

use myelin_testkit::{TestServer, covers, encode, three_modes};
use serde_json::json;

use super::{BOB, Scene, refuses_what_is_something_else};

three_modes!(
    takes_a_leave,
    what_is_something_else_is_refused,
    strangers_cannot_leave
);

covers! {
    "PUT /_matrix/federation/v2/send_leave/{roomId}/{eventId}":
        works = takes_a_leave,
        400 = what_is_something_else_is_refused,
        outsider = strangers_cannot_leave;
}

async fn takes_a_leave(server: &TestServer) {
    let scene = Scene::public(server).await;
    let join = scene.member("join").await;
    scene.send(server, "v2/send_join", &join).await.ok();
    let leave = scene.member("leave").await;
    let answer = scene.send(server, "v2/send_leave", &leave).await.ok();
    assert_eq!(answer, json!({}));
    assert_eq!(scene.membership_of_bob().await, "leave");
}

async fn what_is_something_else_is_refused(server: &TestServer) {
    let scene = Scene::public(server).await;
    let join = scene.member("join").await;
    scene.send(server, "v2/send_join", &join).await.ok();
    refuses_what_is_something_else(server, &scene, ("v2/send_leave", "leave")).await;
    assert_eq!(scene.membership_of_bob().await, "leave");
}

async fn strangers_cannot_leave(server: &TestServer) {
    let scene = Scene::public(server).await;
    let leave = scene.member("leave").await;
    scene
        .send(server, "v2/send_leave", &leave)
        .await
        .refused(403, "M_FORBIDDEN");
    let ban = format!("/rooms/{}/ban", encode(&scene.room_id));
    scene.alice.post(&ban, json!({"user_id": BOB})).await.ok();
    let leave = scene.member("leave").await;
    scene
        .send(server, "v2/send_leave", &leave)
        .await
        .refused(403, "M_FORBIDDEN");
    assert_eq!(scene.membership_of_bob().await, "ban");
}
