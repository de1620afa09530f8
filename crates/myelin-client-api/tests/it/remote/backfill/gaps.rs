//! Gaps in the middle of a room: after this server was cut off, or was not in the room for a while.

use std::time::Duration;

use http::Method;
use myelin_testkit::{
    Peer, PeerEvent, PeerRoom, TestServer, User, encode, text, three_modes, three_modes_federated,
    wait_until,
};
use serde_json::{Value, json};

use super::{Scene, bodies, id, ids, page, read_from};

three_modes!(
    what_was_missed_while_cut_off_is_read_between,
    who_comes_back_reads_what_was_missed,
    a_gap_that_nobody_fills_is_walked_across,
    without_others_the_past_ends,
    branches_are_read_once,
    an_event_of_another_time_is_read_from,
);

three_modes_federated!(a_long_absence_is_made_up_for);

async fn join(user: &User, room_id: &str) {
    let path = format!("/join/{}?via=peer.example", encode(room_id));
    user.post(&path, json!({})).await.ok();
}

/// A room of Alice's, with Bob of a peer in it who has said something.
pub(crate) async fn room_with_bob(server: &TestServer) -> (User, String, PeerRoom) {
    let alice = server.user("alice").await;
    let room_id = alice.create_public_room().await;
    alice.send(&room_id, "early").await;
    let peer = Peer::start(server.network(), "peer.example");
    let mut room = PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
    let bob = room.user("bob");
    let early = room.message(&bob, "early, too");
    room.send(server, &[&early]).await.ok();
    wait_for(&alice, &room_id, "early, too").await;
    (alice, room_id, room)
}

pub(crate) async fn wait_for(user: &User, room_id: &str, body: &str) {
    wait_until("the newest message has arrived", async || {
        let newest = page(user, (room_id, None), 1).await;
        newest["chunk"][0]["content"]["body"] == body
    })
    .await;
}

/// Lets Bob say so much that this server is told of nothing but the last.
pub(crate) async fn miss(server: &TestServer, room: &mut PeerRoom, count: usize) -> String {
    let bob = room.user("bob");
    for number in 0..count {
        room.message(&bob, &format!("missed {number}"));
    }
    let last = room.message(&bob, "late");
    let ids: Vec<_> = room.state.values().cloned().collect();
    room.clone().serve();
    let nothing = json!({"events": []});
    let path = "/_matrix/federation/v1/get_missing_events/";
    room.peer
        .answer(Method::POST, path, move |_| (200, nothing.clone()));
    // The state of rooms that are not the peer's own is what it took over.
    room.peer.answer(
        Method::GET,
        "/_matrix/federation/v1/state_ids/",
        move |_| (200, json!({"pdu_ids": ids, "auth_chain_ids": []})),
    );
    room.send(server, &[&last]).await.ok();
    id(&last)
}

async fn what_was_missed_while_cut_off_is_read_between(server: &TestServer) {
    let (alice, room_id, mut room) = room_with_bob(server).await;
    let since = text(&alice.sync(None).await, "next_batch");
    let last = miss(server, &mut room, 130).await;
    wait_for(&alice, &room_id, "late").await;
    let news = alice.sync(Some(&since)).await;
    let timeline = &news["rooms"]["join"][&room_id]["timeline"];
    assert_eq!(ids(timeline["events"].as_array().unwrap()), [last]);
    assert_eq!(timeline["limited"], true, "{timeline}");
    let next = text(&news, "next_batch");
    // The tokens of before lead where they led.
    let old = read_from(&alice, (&room_id, Some(&since)), 10).await;
    let token = text(timeline, "prev_batch");
    let read = read_from(&alice, (&room_id, Some(&token)), 20).await;
    let mut expected: Vec<String> = (0..130).map(|number| format!("missed {number}")).collect();
    expected.reverse();
    expected.extend(["early, too".to_owned(), "early".to_owned()]);
    assert_eq!(bodies(&read), expected);
    assert_eq!(read.last().unwrap()["type"], "m.room.create");
    assert_eq!(read_from(&alice, (&room_id, Some(&since)), 10).await, old);
    assert!(ids(&read).ends_with(&ids(&old)));
    // None of it is new.
    let news = alice.sync(Some(&next)).await;
    assert!(news["rooms"]["join"].get(&room_id).is_none(), "{news}");
    // What was in between while it was missed counts when the client asks anew.
    let all = alice.sync(None).await;
    let timeline = &all["rooms"]["join"][&room_id]["timeline"]["events"];
    let shown = timeline.as_array().unwrap();
    assert_eq!(bodies(shown).last(), Some(&"late"));
    assert_eq!(bodies(shown)[0], "missed 121");
}

async fn who_comes_back_reads_what_was_missed(server: &TestServer) {
    let scene = Scene::new(server, "11", 5).await;
    assert_eq!(scene.read(50).await.len(), scene.all().len());
    scene.alice.leave(&scene.room_id).await.ok();
    wait_until("the peer has heard of it", async || {
        !scene.peer.pdus().is_empty()
    })
    .await;
    let leave = scene.peer.pdus().pop().unwrap();
    let mallory = scene.mallory.clone();
    scene.hosted.change(|room| {
        let version = room.version.clone();
        let leave = myelin_core::event::parse(leave.to_string().as_bytes(), &version);
        room.take(&leave.unwrap());
        for number in 0..40 {
            room.message(&mallory, &format!("meanwhile {number}"));
        }
    });
    join(&scene.alice, &scene.room_id).await;
    let sync = scene.alice.sync(None).await;
    let timeline = &sync["rooms"]["join"][&scene.room_id]["timeline"];
    assert_eq!(timeline["limited"], true, "{timeline}");
    assert_eq!(timeline["events"].as_array().unwrap().len(), 1);
    assert_eq!(ids(&scene.read(15).await), scene.all());
    // Who comes back before anything has happened has missed nothing.
    scene.alice.leave(&scene.room_id).await.ok();
    let since = text(&scene.alice.sync(None).await, "next_batch");
    wait_until("the peer has heard of that, too", async || {
        scene.peer.pdus().len() > 1
    })
    .await;
    let leave = scene.peer.pdus().pop().unwrap();
    scene.hosted.change(|room| {
        let version = room.version.clone();
        let leave = myelin_core::event::parse(leave.to_string().as_bytes(), &version);
        room.take(&leave.unwrap());
    });
    join(&scene.alice, &scene.room_id).await;
    let asked = scene.asked("/backfill/");
    assert_eq!(ids(&scene.read(15).await), scene.all());
    assert_eq!(scene.asked("/backfill/"), asked);
    let news = scene.alice.sync(Some(&since)).await;
    assert!(
        news["rooms"]["join"].get(&scene.room_id).is_some(),
        "{news}"
    );
}

async fn a_gap_that_nobody_fills_is_walked_across(server: &TestServer) {
    let (alice, room_id, mut room) = room_with_bob(server).await;
    miss(server, &mut room, 60).await;
    wait_for(&alice, &room_id, "late").await;
    server.network().set_cut_off("peer.example", true);
    let first = page(&alice, (&room_id, None), 10).await;
    let token = text(&first, "end");
    assert_eq!(bodies(first["chunk"].as_array().unwrap()), ["late"]);
    // Each node makes its own experience.
    for _ in 0..6 {
        server.clock().advance(Duration::from_mins(10));
        page(&alice, (&room_id, Some(&token)), 10).await;
    }
    let read = read_from(&alice, (&room_id, Some(&token)), 10).await;
    assert_eq!(bodies(&read), ["early, too", "early"]);
    // The place is not forgotten.
    server.network().set_cut_off("peer.example", false);
    server.clock().advance(Duration::from_mins(10));
    let read = read_from(&alice, (&room_id, Some(&token)), 10).await;
    assert_eq!(bodies(&read).len(), 62);
}

async fn without_others_the_past_ends(server: &TestServer) {
    let scene = Scene::new(server, "11", 5).await;
    let mallory = scene.mallory.clone();
    let leave = scene.hosted.change(|room| {
        let gone = json!({"membership": "leave"});
        room.set(&mallory, "m.room.member", mallory.as_str(), gone)
    });
    let room = scene.hosted.now();
    room.send(server, &[&leave]).await.ok();
    wait_until("Mallory has left", async || {
        let newest = page(&scene.alice, (&scene.room_id, None), 1).await;
        newest["chunk"][0]["content"]["membership"] == "leave"
    })
    .await;
    assert_eq!(scene.read(10).await.len(), 2);
    assert_eq!(scene.asked("/backfill/"), 0);
}

/// Two who write at once, again and again.
async fn branches_are_read_once(server: &TestServer) {
    let scene = Scene::with(server, "11", |room, mallory| {
        for number in 0..40 {
            let mut left = room.clone();
            let one = left.message(mallory, &format!("left {number}"));
            let two = if number % 7 == 0 {
                let topic = json!({"topic": number.to_string()});
                room.set(mallory, "m.room.topic", "", topic)
            } else {
                room.message(mallory, &format!("right {number}"))
            };
            room.take(&one);
            room.message(mallory, &format!("both {number}"));
            assert_ne!(one.event_id, two.event_id);
        }
    })
    .await;
    let read = scene.read(33).await;
    let mut found = ids(&read);
    let place = |id: &String| found.iter().position(|found| found == id);
    for event in &scene.hosted.now().events {
        let own = place(&id(event)).expect("every event is shown");
        for before in &event.prev_events {
            let before = place(&before.to_string()).expect("what it comes after, too");
            assert!(own < before, "{} comes after {before}", event.json);
        }
    }
    let mut all = scene.all();
    all.sort();
    found.sort();
    assert_eq!(found, all);
}

/// A look at a time of which nothing is known here leads into the middle of the past.
async fn an_event_of_another_time_is_read_from(server: &TestServer) {
    let scene = Scene::with(server, "11", |room, mallory| {
        let now_ms = room.peer.server.now_ms();
        for number in 0..260 {
            room.append(PeerEvent {
                origin_server_ts: Some(now_ms + number),
                ..PeerEvent::text(mallory, &format!("message {number}"))
            });
        }
    })
    .await;
    let events = scene.hosted.now().events;
    let wanted = events.iter().find(|it| it.json.contains("message 120\""));
    let wanted = wanted.unwrap().clone();
    let told = json!({"event_id": wanted.event_id, "origin_server_ts": wanted.origin_server_ts});
    let path = "/_matrix/federation/v1/timestamp_to_event/";
    scene
        .peer
        .answer(Method::GET, path, move |_| (200, told.clone()));
    for direction in ["f", "b"] {
        let path = format!(
            "/_matrix/client/v1/rooms/{}/timestamp_to_event?dir={direction}&ts={}",
            encode(&scene.room_id),
            wanted.origin_server_ts
        );
        let found = scene.alice.get(&path).await.ok();
        assert_eq!(found["event_id"], wanted.event_id.as_str());
    }
    let path = format!(
        "/rooms/{}/context/{}?limit=6",
        encode(&scene.room_id),
        encode(wanted.event_id.as_str())
    );
    let context = scene.alice.get(&path).await.ok();
    let before = context["events_before"].as_array().unwrap();
    assert_eq!(
        bodies(before),
        ["message 119", "message 118", "message 117"]
    );
    let token = text(&context, "start");
    let old = read_from(&scene.alice, (&scene.room_id, Some(&token)), 50).await;
    let place = scene.all().iter().position(|it| *it == wanted.event_id);
    let place = place.unwrap();
    assert_eq!(ids(&old), scene.all()[place + 4..]);
    // From above the same is reached without doubles.
    assert_eq!(ids(&scene.read(50).await), scene.all());
}

async fn a_long_absence_is_made_up_for(here: &TestServer, there: &TestServer) {
    let alice = there.user("alice").await;
    let bob = here.user("bob").await;
    let room = alice.create_public_room().await;
    let path = format!("/join/{}?via=there.example", encode(&room));
    bob.post(&path, json!({})).await.ok();
    bob.send(&room, "hello").await;
    wait_for(&alice, &room, "hello").await;
    here.network().set_cut_off("there.example", true);
    for number in 0..120 {
        alice.send(&room, &format!("missed {number}")).await;
    }
    here.network().set_cut_off("there.example", false);
    let heard = async || {
        there.clock().advance(Duration::from_hours(1));
        here.clock().advance(Duration::from_hours(1));
        let newest: Value = page(&bob, (&room, None), 1).await;
        newest["chunk"][0]["content"]["body"] == "the newest"
    };
    alice.send(&room, "the newest").await;
    wait_until("bob has heard the newest", heard).await;
    let ours = read_from(&bob, (&room, None), 50).await;
    let theirs = read_from(&alice, (&room, None), 50).await;
    let (mut ours, mut theirs) = (ids(&ours), ids(&theirs));
    ours.sort();
    theirs.sort();
    assert_eq!(ours.len(), theirs.len());
    assert_eq!(ours, theirs);
}
