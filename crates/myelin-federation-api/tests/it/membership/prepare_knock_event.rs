//! `GET /_matrix/federation/v1/make_knock/{roomId}/{userId}`.

use myelin_testkit::{TestServer, covers, encode, three_modes};
use serde_json::json;

use super::{BOB, Scene};

three_modes!(
    makes_a_template,
    the_room_version_must_be_known,
    rooms_without_knocking_refuse,
    unknown_rooms_are_not_found,
    speaks_for_its_own_users_only,
);

covers! {
    "GET /_matrix/federation/v1/make_knock/{roomId}/{userId}":
        works = makes_a_template,
        400 = the_room_version_must_be_known,
        403 = rooms_without_knocking_refuse,
        404 = unknown_rooms_are_not_found,
        outsider = speaks_for_its_own_users_only;
}

pub(super) async fn with_a_door(server: &TestServer) -> Scene {
    let rules = json!({
        "type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"},
    });
    Scene::new(server, json!({"name": "Door", "initial_state": [rules]})).await
}

async fn makes_a_template(server: &TestServer) {
    let scene = with_a_door(server).await;
    let made = scene.make(server, "knock", BOB).await.ok();
    assert_eq!(made["room_version"], "12");
    assert_eq!(made["event"]["content"], json!({"membership": "knock"}));
    assert_eq!(made["event"]["sender"], BOB);
    assert_eq!(scene.membership_of_bob().await, "nothing");
}

async fn the_room_version_must_be_known(server: &TestServer) {
    let scene = with_a_door(server).await;
    let path = format!(
        "/_matrix/federation/v1/make_knock/{}/{}?ver=7",
        encode(&scene.room_id),
        encode(BOB)
    );
    let answer = scene.peer.get(server, &path).await;
    assert_eq!(answer.code(), (400, "M_INCOMPATIBLE_ROOM_VERSION"));
    assert_eq!(answer.body["room_version"], "12");
}

async fn rooms_without_knocking_refuse(server: &TestServer) {
    for room in [json!({}), json!({"preset": "public_chat"})] {
        let alice = server
            .user(&format!("alice{}", room.as_object().unwrap().len()))
            .await;
        let room_id = alice.create_room_with(room).await;
        let peer = myelin_testkit::Peer::start(server.network(), "peer.example");
        let scene = Scene {
            alice,
            peer,
            room_id,
        };
        scene
            .make(server, "knock", BOB)
            .await
            .refused(403, "M_FORBIDDEN");
    }
}

async fn unknown_rooms_are_not_found(server: &TestServer) {
    let mut scene = with_a_door(server).await;
    scene.room_id = String::from("!unheard:localhost");
    scene
        .make(server, "knock", BOB)
        .await
        .refused(404, "M_NOT_FOUND");
}

async fn speaks_for_its_own_users_only(server: &TestServer) {
    let scene = with_a_door(server).await;
    scene
        .make(server, "knock", "@bob:other.example")
        .await
        .refused(403, "M_FORBIDDEN");
}
