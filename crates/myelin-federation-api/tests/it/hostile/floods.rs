//! What a server sends in masses holds up nobody but itself.

use http::{Method, Response};
use myelin_testkit::{Peer, PeerEvent, PeerRoom, TestServer, pdu, silent_after, three_modes};
use serde_json::{Value, json};

use super::{Scene, asked, waiting};

three_modes!(
    a_server_that_falls_silent_holds_up_nobody,
    a_server_that_falls_silent_in_many_rooms_holds_up_nobody,
    a_flood_fills_only_its_own_part_of_the_inbox,
);

const MISSING: &str = "/_matrix/federation/v1/get_missing_events/";

/// From now on the peer takes questions for what is missing, and does not answer.
fn fall_silent(peer: &Peer) {
    peer.answer_with(Method::POST, MISSING, |_| Response::new(silent_after("{")));
}

/// An event whose predecessors nobody ever sees.
fn homeless(room: &PeerRoom, number: usize) -> Value {
    let mut gone = room.clone();
    let user = gone.user("mallory");
    gone.message(&user, &format!("gone {number}"));
    pdu(&gone.make(PeerEvent::text(&user, &format!("homeless {number}"))))
}

async fn a_server_that_falls_silent_holds_up_nobody(server: &TestServer) {
    let mut scene = Scene::new(server, "12").await;
    fall_silent(&scene.liar.peer);
    let pdus = (0..50).map(|n| homeless(&scene.liar, n)).collect();
    scene
        .liar
        .peer
        .transaction(server, pdus, Vec::new())
        .await
        .ok();
    // What it is asked takes minutes; the honest one is heard at once, and again.
    for _ in 0..3 {
        scene.is_heard(server).await;
    }
    scene.settles(server).await;
    // It is asked one question after the other, each of which takes its time.
    assert!(asked(&scene.liar.peer, MISSING) < 10);
    assert_eq!(waiting(server, &scene).await, 50);
}

async fn a_server_that_falls_silent_in_many_rooms_holds_up_nobody(server: &TestServer) {
    let alice = server.user("alice").await;
    let liar = Peer::start(server.network(), "liar.example");
    fall_silent(&liar);
    let mut pdus = Vec::new();
    // More than a node works on at once.
    for n in 0..24 {
        let room_id = alice.create_public_room().await;
        let room = PeerRoom::joined(&liar, server, (&alice, &room_id), "mallory").await;
        pdus.push(homeless(&room, n));
    }
    liar.transaction(server, pdus, Vec::new()).await.ok();
    let room_id = alice.create_public_room().await;
    let honest = Peer::start(server.network(), "honest.example");
    let mut scene = Scene::with((alice, room_id), (&liar, &honest), server).await;
    scene.is_heard(server).await;
    scene.settles(server).await;
    assert!(asked(&liar, MISSING) < 24, "{}", asked(&liar, MISSING));
}

async fn a_flood_fills_only_its_own_part_of_the_inbox(server: &TestServer) {
    let mut scene = Scene::new(server, "12").await;
    fall_silent(&scene.liar.peer);
    let mut refused = 0;
    for slice in 0..22 {
        let numbers = 50 * slice..50 * (slice + 1);
        let pdus = numbers.map(|n| homeless(&scene.liar, n)).collect();
        let answer = scene.liar.peer.transaction(server, pdus, Vec::new()).await;
        let fates = answer.ok()["pdus"].as_object().unwrap().clone();
        let later = |fate: &&Value| **fate != json!({});
        refused += fates.values().filter(later).count();
        if slice % 7 == 0 {
            scene.is_heard(server).await;
        }
    }
    assert_eq!(refused, 100);
    assert_eq!(waiting(server, &scene).await, 1_000);
    // What is sticky must come again, and with it all that came along (MSC4354).
    let user = scene.liar.user("mallory");
    let sticky = |duration_ms| {
        let event = PeerEvent::text(&user, "sticky");
        let sticky_ms = Some(duration_ms);
        pdu(&scene.liar.make(PeerEvent { sticky_ms, ..event }))
    };
    let pdus = vec![homeless(&scene.liar, 2_000), sticky(60_000)];
    let answer = scene.liar.peer.transaction(server, pdus, Vec::new()).await;
    assert_eq!(answer.body["retry_after_ms"], 30_000);
    answer.refused(429, "M_LIMIT_EXCEEDED");
    let over = vec![sticky(0)];
    let answer = scene.liar.peer.transaction(server, over, Vec::new()).await;
    assert_eq!(answer.ok()["pdus"].as_object().unwrap().len(), 1);
    // The honest one finds room.
    scene.is_heard(server).await;
    assert!(asked(&scene.liar.peer, MISSING) < 10);
}
