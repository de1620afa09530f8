//! What others may answer who is asked for a room's history, and what comes of it.

use std::{sync::Arc, time::Duration};

use http::Method;
use myelin_testkit::{Peer, PeerEvent, PeerRoom, TestServer, pdu, text, three_modes};
use serde_json::{Value, json};

use super::{Scene, bodies, id, ids, page, read_from};

three_modes!(
    what_does_not_hang_together_is_left_aside,
    forged_events_are_passed_over,
    keys_that_cannot_be_had_are_passed_over,
    changed_content_is_cut_off,
    what_the_rules_forbade_is_not_shown,
    answers_without_end_end,
    answers_that_make_no_sense_place_nothing,
    events_in_a_circle_end_the_walk,
    events_that_nobody_knows_are_given_up,
    servers_are_asked_one_after_the_other,
);

const BACKFILL: &str = "/_matrix/federation/v1/backfill/";

/// Lets the peer answer with these PDUs, whatever is asked.
fn answer(peer: &Arc<Peer>, pdus: &[Value]) {
    let told = json!({"origin": "peer.example", "origin_server_ts": 1, "pdus": pdus});
    peer.answer(Method::GET, BACKFILL, move |_| (200, told.clone()));
}

fn all_pdus(scene: &Scene) -> Vec<Value> {
    scene.hosted.now().events.iter().map(pdu).collect()
}

/// Unrelated events, of this room and of others, among those that were asked for.
async fn what_does_not_hang_together_is_left_aside(server: &TestServer) {
    let scene = Scene::new(server, "11", 20).await;
    let (room, mallory) = (scene.hosted.now(), scene.mallory.clone());
    let mut pdus = all_pdus(&scene);
    let beside = room.make(PeerEvent {
        prev_events: Some(vec![room.events[0].event_id.clone()]),
        ..PeerEvent::text(&mallory, "beside")
    });
    let above = room.make(PeerEvent::text(&mallory, "above"));
    let floating = room.make(PeerEvent {
        prev_events: Some(vec!["$nowhere".try_into().unwrap()]),
        ..PeerEvent::text(&mallory, "floating")
    });
    let mut other = PeerRoom::create(&scene.peer, "11", "mallory");
    let other = other.message(&mallory, "of another room");
    for event in [&beside, &above, &floating, &other] {
        pdus.insert(0, pdu(event));
        pdus.push(pdu(event));
    }
    // Twice the same does not count twice.
    pdus.extend(all_pdus(&scene));
    answer(&scene.peer, &pdus);
    let read = scene.read(10).await;
    assert_eq!(ids(&read), scene.all());
}

/// The graph goes on behind an event that nobody can have signed, and the event is not shown.
async fn forged_events_are_passed_over(server: &TestServer) {
    let innocent = Peer::start(server.network(), "innocent.example");
    let scene = Scene::with(server, "11", |room, mallory| {
        let theirs = PeerRoom {
            peer: innocent.clone(),
            ..room.clone()
        };
        let grace = theirs.user("grace");
        let join = theirs.make(PeerEvent {
            state_key: Some(grace.to_string()),
            ..PeerEvent::new(&grace, "m.room.member", json!({"membership": "join"}))
        });
        room.take(&join);
        room.message(mallory, "before");
        // Signed by the peer alone.
        let forged = room.make(PeerEvent::text(&grace, "forged"));
        room.take(&forged);
        let topic = json!({"topic": "forged"});
        room.set(&grace, "m.room.topic", "", topic);
        room.state
            .remove(&("m.room.topic".to_owned(), String::new()));
        room.message(mallory, "after");
    })
    .await;
    let read = scene.read(10).await;
    assert_eq!(bodies(&read), ["after", "before"]);
    assert_eq!(read.len(), scene.all().len() - 2);
    assert_eq!(read.last().unwrap()["type"], "m.room.create");
}

/// Nobody's keys are waited for forever: the past of a room goes on behind them.
async fn keys_that_cannot_be_had_are_passed_over(server: &TestServer) {
    let gone = Peer::start(server.network(), "gone.example");
    let scene = Scene::with(server, "11", |room, mallory| {
        room.message(mallory, "before");
        let theirs = PeerRoom {
            peer: gone.clone(),
            ..room.clone()
        };
        let grace = theirs.user("grace");
        let join = json!({"membership": "join"});
        let mut theirs = theirs;
        let join = theirs.set(&grace, "m.room.member", grace.as_str(), join);
        let said = theirs.message(&grace, "grace");
        let gone = json!({"membership": "leave"});
        let leave = theirs.set(&grace, "m.room.member", grace.as_str(), gone);
        for event in [&join, &said, &leave] {
            room.take(event);
        }
        let member = ("m.room.member".to_owned(), grace.to_string());
        room.state.remove(&member);
        room.message(mallory, "after");
    })
    .await;
    server.network().set_cut_off("gone.example", true);
    let first = page(&scene.alice, (&scene.room_id, None), 10).await;
    let shown = first["chunk"].as_array().unwrap();
    assert_eq!(bodies(shown), ["after"]);
    let token = text(&first, "end");
    for _ in 0..8 {
        server.clock().advance(Duration::from_mins(10));
        page(&scene.alice, (&scene.room_id, Some(&token)), 10).await;
    }
    assert_eq!(bodies(&scene.read(10).await), ["after", "before"]);
}

/// What was said before it was changed is not known, but what stands under the signature is.
async fn changed_content_is_cut_off(server: &TestServer) {
    let scene = Scene::new(server, "11", 3).await;
    let mut pdus = all_pdus(&scene);
    for pdu in &mut pdus {
        if pdu["content"]["body"] == "message 1" {
            pdu["content"]["body"] = json!("something else");
        }
    }
    answer(&scene.peer, &pdus);
    let read = scene.read(10).await;
    assert_eq!(bodies(&read), ["message 2", "message 0"]);
    assert_eq!(ids(&read), scene.all());
    assert_eq!(read[2]["content"], json!({}));
}

/// What its sender was not allowed to send, and what others vouch for that does not.
async fn what_the_rules_forbade_is_not_shown(server: &TestServer) {
    let scene = Scene::with(server, "11", |room, mallory| {
        room.message(mallory, "before");
        let eve = room.user("eve");
        room.message(&eve, "eve is not in the room");
        room.set(&eve, "m.room.topic", "", json!({"topic": "Eve's"}));
        room.state
            .remove(&("m.room.topic".to_owned(), String::new()));
        room.message(mallory, "after");
    })
    .await;
    let read = scene.read(10).await;
    assert_eq!(bodies(&read), ["after", "before"]);
    assert!(read.iter().all(|event| event["type"] != "m.room.topic"));
    assert_eq!(read.last().unwrap()["type"], "m.room.create");
    let topic = scene.alice.state(&scene.room_id, "m.room.topic", "").await;
    topic.refused(404, "M_NOT_FOUND");
}

async fn answers_without_end_end(server: &TestServer) {
    let scene = Scene::new(server, "11", 3).await;
    let (room, mallory) = (scene.hosted.now(), scene.mallory.clone());
    // Each time something else, and never what was asked for.
    scene.peer.answer(Method::GET, BACKFILL, move |_| {
        let prev = format!("${}", room.peer.server.random_letters(43));
        let event = room.make(PeerEvent {
            prev_events: Some(vec![prev.try_into().unwrap()]),
            ..PeerEvent::text(&mallory, "more and more")
        });
        let pdus: Vec<Value> = vec![pdu(&event); 200];
        (
            200,
            json!({"origin": "peer.example", "origin_server_ts": 1, "pdus": pdus}),
        )
    });
    let first = page(&scene.alice, (&scene.room_id, None), 50).await;
    assert_eq!(first["chunk"].as_array().unwrap().len(), 1, "{first}");
    let token = text(&first, "end");
    let again = page(&scene.alice, (&scene.room_id, Some(&token)), 50).await;
    assert_eq!(again["chunk"], json!([]));
    let asked = scene.asked("/backfill/");
    assert!(asked <= 2, "{asked}");
}

async fn answers_that_make_no_sense_place_nothing(server: &TestServer) {
    let scene = Scene::new(server, "11", 3).await;
    let newest = pdu(&scene.hosted.now().events[7]);
    let with = |key: &str, value: Value| {
        let mut pdu = newest.clone();
        pdu[key] = value;
        vec![pdu]
    };
    let huge = json!("x".repeat(9 * 1024 * 1024));
    let lies = [
        json!({}),
        json!([]),
        json!({"pdus": {}}),
        json!({"pdus": [1, null, "text", [], {}]}),
        json!({"pdus": with("depth", json!(-1))}),
        json!({"pdus": with("depth", json!(1.5))}),
        json!({"pdus": with("depth", json!(u64::MAX))}),
        json!({"pdus": with("sender", json!("@x:peer.example\u{0}"))}),
        json!({"pdus": with("room_id", json!("!other:peer.example"))}),
        json!({"pdus": with("prev_events", json!("all"))}),
        json!({"pdus": with("signatures", json!({}))}),
        json!({"pdus": [], "more": huge}),
    ];
    for lie in lies {
        let told = lie.clone();
        scene
            .peer
            .answer(Method::GET, BACKFILL, move |_| (200, told.clone()));
        server.clock().advance(Duration::from_mins(10));
        let page = page(&scene.alice, (&scene.room_id, None), 50).await;
        let shown = page["chunk"].as_array().unwrap();
        assert_eq!(
            shown.len(),
            1,
            "{}",
            lie.to_string().get(..99).unwrap_or_default()
        );
    }
    server.clock().advance(Duration::from_mins(10));
    answer(&scene.peer, &all_pdus(&scene));
    assert_eq!(ids(&scene.read(50).await), scene.all());
}

/// Where ids are no hashes two events can come after each other.
async fn events_in_a_circle_end_the_walk(server: &TestServer) {
    let scene = Scene::new(server, "2", 6).await;
    let (room, mallory) = (scene.hosted.now(), scene.mallory.clone());
    let mut pdus = all_pdus(&scene);
    let newest = &room.events[room.events.len() - 2];
    // The last but one comes after the newest, as the newest comes after it.
    let circle = room.make(PeerEvent {
        prev_events: Some(vec![newest.event_id.clone()]),
        ..PeerEvent::text(&mallory, "round and round")
    });
    let place = pdus.len() - 3;
    let mut circle = pdu(&circle);
    circle["event_id"] = pdus[place]["event_id"].clone();
    circle["signatures"] = json!({});
    pdus[place] = scene.peer.sign(circle);
    answer(&scene.peer, &pdus);
    for _ in 0..3 {
        let read = page(&scene.alice, (&scene.room_id, None), 50).await;
        let shown = read["chunk"].as_array().unwrap();
        assert!(bodies(shown).iter().all(|body| *body != "round and round"));
        server.clock().advance(Duration::from_mins(10));
    }
    let asked = scene.asked("/backfill/");
    assert!(asked <= 9, "{asked}");
}

/// A member of the room can come after what never was: that must not keep the room's past open.
async fn events_that_nobody_knows_are_given_up(server: &TestServer) {
    let scene = Scene::with(server, "11", |room, mallory| {
        room.message(mallory, "before");
        let mut prev = room.extremities.clone();
        let nobody = (0..15).map(|_| format!("${}", room.peer.server.random_letters(43)));
        prev.extend(nobody.map(|id| id.try_into().unwrap()));
        room.append(PeerEvent {
            prev_events: Some(prev),
            ..PeerEvent::text(mallory, "after")
        });
    })
    .await;
    for _ in 0..14 {
        page(&scene.alice, (&scene.room_id, None), 50).await;
        server.clock().advance(Duration::from_mins(10));
    }
    let last = page(&scene.alice, (&scene.room_id, None), 50).await;
    assert_eq!(ids(last["chunk"].as_array().unwrap()), scene.all());
    assert!(last.get("end").is_none(), "{last}");
}

async fn servers_are_asked_one_after_the_other(server: &TestServer) {
    let second = Peer::start(server.network(), "second.example");
    let scene = Scene::with(server, "11", |room, mallory| {
        room.message(mallory, "before");
        let theirs = PeerRoom {
            peer: second.clone(),
            ..room.clone()
        };
        let eve = theirs.user("eve");
        let join = theirs.make(PeerEvent {
            state_key: Some(eve.to_string()),
            ..PeerEvent::new(&eve, "m.room.member", json!({"membership": "join"}))
        });
        room.take(&join);
        room.message(mallory, "after");
    })
    .await;
    answer(&scene.peer, &[]);
    answer(&second, &all_pdus(&scene));
    let read = read_from(&scene.alice, (&scene.room_id, None), 50).await;
    assert_eq!(ids(&read), scene.all());
    assert_eq!(
        id(&scene.hosted.now().events[0]),
        *scene.all().last().unwrap()
    );
    assert_eq!(scene.asked("/backfill/"), 1);
    let asked = second.received();
    let asked = asked
        .iter()
        .filter(|asked| asked.path.starts_with(BACKFILL));
    assert_eq!(asked.count(), 1);
}
