//! Answers to what this server asks for when events are missing: too many, of something else, or
//! without end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Response};
use myelin_core::event::Event;
use myelin_testkit::{
    Peer, PeerEvent, PeerRoom, TestServer, dripping, let_pass, pdu, simulate, three_modes,
};
use serde_json::{Value, json};

use super::{Scene, asked, waiting};

three_modes!(
    missing_events_without_end_are_not_followed,
    events_of_something_else_are_not_missing_ones,
    states_of_nothing_are_not_believed,
    bodies_without_end_are_cut_off,
);

const MISSING: &str = "/_matrix/federation/v1/get_missing_events/";
const STATE: &str = "/_matrix/federation/v1/state/";
const STATE_IDS: &str = "/_matrix/federation/v1/state_ids/";

/// An event of the liar before which another is missing.
fn late(scene: &Scene, number: usize) -> Event {
    let mut gone = scene.liar.clone();
    gone.message(&scene.mallory, &format!("never given to anybody {number}"));
    gone.make(PeerEvent::text(&scene.mallory, "late"))
}

/// Nothing of the liar came into the room, the honest one is heard, and the liar was asked no more
/// often than this.
async fn nothing_came_of_it(
    scene: &mut Scene,
    server: &TestServer,
    (limits, before): (&[(&str, usize)], &std::collections::BTreeSet<String>),
) {
    scene.is_heard(server).await;
    myelin_testkit::wait_until("the event waits for its next attempt", async || {
        asked(&scene.liar.peer, STATE_IDS) > 0
    })
    .await;
    scene.is_heard(server).await;
    scene.settles(server).await;
    let more: Vec<_> = scene.seen().await.difference(before).cloned().collect();
    assert_eq!(more.len(), 2, "{more:?}");
    for (path, times) in limits {
        let asked = asked(&scene.liar.peer, path);
        assert!(asked <= *times, "{path} was asked {asked} times");
    }
}

/// Each answer leads to events further back.
async fn missing_events_without_end_are_not_followed(server: &TestServer) {
    let mut scene = Scene::new(server, "12").await;
    let before = scene.seen().await;
    let mut room = scene.liar.clone();
    let mallory = scene.mallory.clone();
    let mut chain = Vec::new();
    for n in 0..600 {
        chain.push(pdu(&room.message(&mallory, &format!("chain {n}"))));
    }
    let newest = room.make(PeerEvent::text(&mallory, "newest"));
    let peer = scene.liar.peer.clone();
    let given = AtomicUsize::new(0);
    peer.answer(Method::POST, MISSING, move |_| {
        let end = 600 - given.fetch_add(100, Ordering::Relaxed).min(400);
        // More than was asked for, and none of it comes after anything that is known.
        (200, json!({"events": chain[end - 100..end]}))
    });
    let rows = rows_written(server);
    scene.liar.send(server, &[&newest]).await.ok();
    // A few states are asked for where what is told begins, and the one before the event.
    let limits = [(MISSING, 4), (STATE_IDS, 6), (STATE, 6)];
    nothing_came_of_it(&mut scene, server, (&limits, &before)).await;
    let rows = rows_written(server) - rows;
    assert!(rows < 400, "{rows} rows were written");
}

fn rows_written(server: &TestServer) -> u64 {
    let stores = server.stores();
    stores.iter().map(|store| store.counts().rows_written).sum()
}

async fn events_of_something_else_are_not_missing_ones(server: &TestServer) {
    let mut scene = Scene::new(server, "12").await;
    let before = scene.seen().await;
    let other = PeerRoom::create(&scene.liar.peer, "12", "mallory");
    let old = PeerRoom::create(&scene.liar.peer, "1", "mallory");
    let forged = scene.liar.make(PeerEvent::text(&scene.carol, "forged"));
    let mut events: Vec<Value> = other.events.iter().chain(&old.events).map(pdu).collect();
    events.extend([json!(1), json!({}), json!("\u{0}"), pdu(&forged)]);
    let peer = scene.liar.peer.clone();
    let missing = json!({"events": events});
    peer.answer(Method::POST, MISSING, move |_| (200, missing.clone()));
    let ids: Vec<&str> = other.state.values().map(|id| id.as_str()).collect();
    let ids = json!({"pdu_ids": ids, "auth_chain_ids": ids});
    peer.answer(Method::GET, STATE_IDS, move |_| (200, ids.clone()));
    let state: Vec<Value> = other.events.iter().map(pdu).collect();
    let state = json!({"pdus": state, "auth_chain": state});
    peer.answer(Method::GET, STATE, move |_| (200, state.clone()));
    let late = late(&scene, 0);
    scene.liar.send(server, &[&late]).await.ok();
    let limits = [(MISSING, 1), (STATE_IDS, 1), (STATE, 2)];
    nothing_came_of_it(&mut scene, server, (&limits, &before)).await;
}

/// A state of thousands of events that nobody has, or of one event, thousands of times.
async fn states_of_nothing_are_not_believed(server: &TestServer) {
    let mut scene = Scene::new(server, "12").await;
    let known = scene.liar.extremities[0].to_string();
    let unknown: Vec<String> = (0..20_000).map(|n| format!("${n:043}")).collect();
    let lists = [
        json!({"pdu_ids": unknown, "auth_chain_ids": unknown}),
        json!({"pdu_ids": vec![known; 20_000], "auth_chain_ids": []}),
        json!({"pdu_ids": [], "auth_chain_ids": []}),
    ];
    let peer = scene.liar.peer.clone();
    for (number, ids) in lists.into_iter().enumerate() {
        let before = scene.seen().await;
        let asked_before = (asked(&peer, STATE_IDS), asked(&peer, STATE));
        let late = late(&scene, number);
        peer.answer(Method::GET, STATE_IDS, move |_| (200, ids.clone()));
        let read = statements(server);
        scene.liar.send(server, &[&late]).await.ok();
        myelin_testkit::wait_until("the state was asked for", async || {
            asked(&peer, STATE_IDS) > asked_before.0
        })
        .await;
        scene.is_heard(server).await;
        scene.settles(server).await;
        let more: Vec<_> = scene.seen().await.difference(&before).cloned().collect();
        assert_eq!(more.len(), 1, "{more:?}");
        assert!(asked(&peer, STATE) <= asked_before.1 + 2);
        // Some hundred for the ids, and what goes on in the background.
        let statements = statements(server) - read;
        assert!(statements < 2_000, "{statements} statements");
    }
    let waiting = waiting(server, &scene).await;
    assert!(waiting <= 3, "{waiting}");
}

fn statements(server: &TestServer) -> u64 {
    let stores = server.stores();
    stores.iter().map(|store| store.counts().statements).sum()
}

/// An endless body; how much of it was taken is added up.
fn endless(begin: &'static str, taken: Arc<AtomicUsize>) -> axum::body::Body {
    let id = r#""$aaaaaaaaaaaa","#;
    let again = Bytes::from(id.repeat(64 * 1024 / id.len()));
    let mut next = Bytes::from_static(begin.as_bytes());
    dripping(Duration::ZERO, move || {
        let piece = std::mem::replace(&mut next, again.clone());
        taken.fetch_add(piece.len(), Ordering::Relaxed);
        Some(piece)
    })
}

async fn bodies_without_end_are_cut_off(server: &TestServer) {
    const MEGABYTE: usize = 1024 * 1024;
    let mut scene = Scene::new(server, "12").await;
    let before = scene.seen().await;
    let peer = scene.liar.peer.clone();
    let answers = [
        (Method::GET, STATE_IDS, r#"{"pdu_ids":["#),
        (Method::POST, MISSING, r#"{"events":["#),
    ];
    for (number, (method, path, begin)) in answers.into_iter().enumerate() {
        let taken: Arc<AtomicUsize> = Arc::default();
        let counted = taken.clone();
        peer.answer_with(method, path, move |_| {
            Response::new(endless(begin, counted.clone()))
        });
        let late = late(&scene, number);
        scene.liar.send(server, &[&late]).await.ok();
        scene.is_heard(server).await;
        myelin_testkit::wait_until("it was cut off", async || {
            taken.load(Ordering::Relaxed) > 8 * MEGABYTE
        })
        .await;
        scene.settles(server).await;
        assert!(taken.load(Ordering::Relaxed) < 9 * MEGABYTE);
    }
    scene.is_heard(server).await;
    let more: Vec<_> = scene.seen().await.difference(&before).cloned().collect();
    assert_eq!(more.len(), 3, "{more:?}");
    assert_eq!(asked(&peer, STATE), 0);
}

/// A server that drips its answers keeps none but its own events waiting, for hours.
#[test]
fn answers_that_drip_hold_up_nobody() {
    simulate(1, async |server: &TestServer| {
        let mut scene = Scene::new(server, "12").await;
        let peer: Arc<Peer> = scene.liar.peer.clone();
        for (method, path) in [
            (Method::POST, MISSING),
            (Method::GET, STATE_IDS),
            (Method::GET, STATE),
        ] {
            peer.answer_with(method, path, |_| {
                let blank = || Some(Bytes::from_static(b" "));
                Response::new(dripping(Duration::from_secs(1), blank))
            });
        }
        let late = late(&scene, 0);
        scene.liar.send(server, &[&late]).await.ok();
        for _ in 0..60 {
            let begun_ms = server.now_ms();
            scene.is_heard(server).await;
            let took_ms = server.now_ms() - begun_ms;
            assert!(took_ms < 2_000, "{took_ms}");
            let_pass(Duration::from_mins(3)).await;
        }
        // 25 attempts, each of which asks three times at most.
        assert!(peer.received().len() <= 75, "{}", peer.received().len());
        assert!(!scene.said_in_room().await.contains(&"late".to_owned()));
    });
}
