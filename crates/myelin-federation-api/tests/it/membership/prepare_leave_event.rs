//! `GET /_matrix/federation/v1/make_leave/{roomId}/{userId}`.

use myelin_testkit::{TestServer, covers, three_modes};
use serde_json::json;

use super::{BOB, Scene};

three_modes!(
    makes_a_template,
    who_is_not_there_cannot_leave,
    speaks_for_its_own_users_only
);

covers! {
    "GET /_matrix/federation/v1/make_leave/{roomId}/{userId}":
        works = makes_a_template,
        403 = who_is_not_there_cannot_leave,
        outsider = speaks_for_its_own_users_only;
}

async fn makes_a_template(server: &TestServer) {
    let scene = Scene::public(server).await;
    let join = scene.member("join").await;
    scene.send(server, "v2/send_join", &join).await.ok();
    let made = scene.make(server, "leave", BOB).await.ok();
    assert_eq!(made["room_version"], "12");
    assert_eq!(made["event"]["content"], json!({"membership": "leave"}));
    assert_eq!(made["event"]["state_key"], BOB);
    assert_eq!(scene.membership_of_bob().await, "join");
}

async fn who_is_not_there_cannot_leave(server: &TestServer) {
    let scene = Scene::public(server).await;
    scene
        .make(server, "leave", BOB)
        .await
        .refused(403, "M_FORBIDDEN");
}

async fn speaks_for_its_own_users_only(server: &TestServer) {
    let scene = Scene::public(server).await;
    scene
        .make(server, "leave", "@alice:localhost")
        .await
        .refused(403, "M_FORBIDDEN");
    assert_eq!(
        scene.alice.get("/joined_rooms").await.ok()["joined_rooms"],
        json!([scene.room_id])
    );
}
