//! `PUT /_matrix/federation/v1/send_knock/{roomId}/{eventId}`.

use myelin_core::event;
use myelin_testkit::{TestServer, covers, three_modes};

use super::{Scene, prepare_knock_event::with_a_door, refuses_what_is_something_else};

three_modes!(
    takes_a_knock_and_tells_of_the_room,
    what_is_something_else_is_refused,
    rooms_without_knocking_refuse,
    unknown_rooms_are_not_found,
);

covers! {
    "PUT /_matrix/federation/v1/send_knock/{roomId}/{eventId}":
        works = takes_a_knock_and_tells_of_the_room,
        400 = what_is_something_else_is_refused,
        403 = rooms_without_knocking_refuse,
        404 = unknown_rooms_are_not_found,
        outsider = rooms_without_knocking_refuse;
}

async fn takes_a_knock_and_tells_of_the_room(server: &TestServer) {
    let scene = with_a_door(server).await;
    let knock = scene.member("knock").await;
    let answer = scene.send(server, "v1/send_knock", &knock).await.ok();
    assert_eq!(scene.membership_of_bob().await, "knock");
    let version = scene.room().await.version;
    let told = answer["knock_room_state"].as_array().unwrap();
    let told: Vec<event::Event> = told
        .iter()
        .map(|pdu| event::parse(pdu.to_string().as_bytes(), &version).unwrap())
        .collect();
    let types: Vec<&str> = told.iter().map(event::Event::type_str).collect();
    assert_eq!(types, ["m.room.create", "m.room.name", "m.room.join_rules"]);
    assert!(told.iter().all(|event| event.room_id == scene.room_id));
}

async fn what_is_something_else_is_refused(server: &TestServer) {
    let scene = with_a_door(server).await;
    refuses_what_is_something_else(server, &scene, ("v1/send_knock", "knock")).await;
    assert_eq!(scene.membership_of_bob().await, "knock");
}

async fn rooms_without_knocking_refuse(server: &TestServer) {
    let scene = Scene::public(server).await;
    let knock = scene.member("knock").await;
    scene
        .send(server, "v1/send_knock", &knock)
        .await
        .refused(403, "M_FORBIDDEN");
    assert_eq!(scene.membership_of_bob().await, "nothing");
}

async fn unknown_rooms_are_not_found(server: &TestServer) {
    let mut scene = with_a_door(server).await;
    let knock = scene.member("knock").await;
    scene.room_id = String::from("!unheard:localhost");
    scene
        .send(server, "v1/send_knock", &knock)
        .await
        .refused(404, "M_NOT_FOUND");
}
