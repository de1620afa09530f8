//! Answers to joins that lie about the room itself, or do not end. More are in `hostile_answers.rs`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Response};
use myelin_testkit::{
    Peer, PeerEvent, PeerHost, PeerRoom, TestServer, User, dripping, encode, pdu, simulate,
    three_modes,
};
use serde_json::{Value, json};

three_modes!(
    another_create_event_makes_no_room,
    two_create_events_make_no_room,
    joins_that_do_not_belong_to_the_room_are_refused,
    lists_of_nothing_are_refused,
);

const SEND_JOIN: &str = "/_matrix/federation/v2/send_join/";

async fn join(user: &User, room: &PeerRoom) -> myelin_testkit::Answer {
    let path = format!("/join/{}?via=liar.example", encode(room.id.as_str()));
    user.post(&path, json!({})).await
}

async fn is_joined(user: &User) -> bool {
    let joined = user.get("/joined_rooms").await.ok();
    joined["joined_rooms"] != json!([])
}

/// Answers joins with this state, as if it were the room's.
fn answer_with(peer: &Peer, state: Vec<Value>, auth_chain: Vec<Value>) {
    peer.answer(Method::PUT, SEND_JOIN, move |request| {
        let event: Value = serde_json::from_slice(request.body()).unwrap();
        let answer = json!({"state": state, "auth_chain": auth_chain, "event": event});
        (200, answer)
    });
}

fn pdus(room: &PeerRoom) -> Vec<Value> {
    room.events.iter().map(pdu).collect()
}

/// In room version 12 the id of the room says which event made it.
async fn another_create_event_makes_no_room(server: &TestServer) {
    let alice = server.user("alice").await;
    let liar = Peer::start(server.network(), "liar.example");
    let room = PeerRoom::create(&liar, "12", "mallory");
    let other = PeerRoom::create(&liar, "12", "eve");
    let _host = PeerHost::new(room.clone());
    // The state of another room.
    answer_with(&liar, pdus(&other), pdus(&other));
    join(&alice, &room).await.refused(502, "M_UNKNOWN");
    // The same, but for what made it: nothing there has a creator then.
    let mut mixed = pdus(&room);
    mixed[0] = pdu(&other.events[0]);
    answer_with(&liar, mixed.clone(), mixed);
    join(&alice, &room).await.refused(502, "M_UNKNOWN");
    assert!(!is_joined(&alice).await);
}

async fn two_create_events_make_no_room(server: &TestServer) {
    let alice = server.user("alice").await;
    let liar = Peer::start(server.network(), "liar.example");
    for version in ["1", "6", "11"] {
        let room = PeerRoom::create(&liar, version, "mallory");
        let _host = PeerHost::new(room.clone());
        let eve = room.user("eve");
        let mut second = room.clone();
        second.state.clear();
        second.extremities.clear();
        let content = if version == "11" {
            json!({"room_version": version})
        } else {
            json!({"room_version": version, "creator": eve})
        };
        let second = second.make(PeerEvent {
            state_key: Some(String::new()),
            depth: Some(1),
            ..PeerEvent::new(&eve, "m.room.create", content)
        });
        let mut both = pdus(&room);
        both.push(pdu(&second));
        answer_with(&liar, both.clone(), both);
        join(&alice, &room).await.refused(502, "M_UNKNOWN");
    }
    assert!(!is_joined(&alice).await);
}

/// The event that comes back is of another room, of another user, or of no room at all.
async fn joins_that_do_not_belong_to_the_room_are_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    let liar = Peer::start(server.network(), "liar.example");
    let room = PeerRoom::create(&liar, "11", "mallory");
    let other = PeerRoom::create(&liar, "11", "eve");
    let _host = PeerHost::new(room.clone());
    let all = pdus(&room);
    let returned = [
        pdu(&other.events[1]),
        pdu(&room.events[1]),
        json!({"type": "m.room.member"}),
        json!([1, 2]),
        json!("\u{0}"),
    ];
    for event in returned {
        let state = all.clone();
        liar.answer(Method::PUT, SEND_JOIN, move |_| {
            (
                200,
                json!({"state": state, "auth_chain": state, "event": event}),
            )
        });
        join(&alice, &room).await.refused(502, "M_UNKNOWN");
    }
    assert!(!is_joined(&alice).await);
}

async fn lists_of_nothing_are_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    let liar = Peer::start(server.network(), "liar.example");
    let room = PeerRoom::create(&liar, "12", "mallory");
    let _host = PeerHost::new(room.clone());
    let nothings = [
        r#"{"state":[],"auth_chain":[]}"#.to_owned(),
        format!(
            r#"{{"state":[{}],"auth_chain":[]}}"#,
            vec!["1"; 100_000].join(",")
        ),
        format!(r#"{{"state":[{}],"auth_chain":[]}}"#, "[".repeat(100_000)),
        format!(
            r#"{{"state":[{{"a":"{}"}}],"auth_chain":[]}}"#,
            "a".repeat(300_000)
        ),
        r#"{"state":[{"depth":1,"depth":2,"type":"m.room.create"}],"auth_chain":[]}"#.to_owned(),
        r#"{"state":[{"type":"\ud800","depth":1e99}],"auth_chain":["\u0000"]}"#.to_owned(),
        r#"{"state":[],"state":[],"auth_chain":[]}"#.to_owned(),
        r#"{"pdus":[],"state":[],"auth_chain":[]}"#.to_owned(),
        "not JSON".to_owned(),
        String::new(),
    ];
    for answer in nothings {
        let shown = answer.chars().take(60).collect::<String>();
        liar.answer_with(Method::PUT, SEND_JOIN, move |_| {
            Response::new(answer.clone().into())
        });
        let refused = join(&alice, &room).await;
        assert_eq!(refused.code(), (502, "M_UNKNOWN"), "{shown}");
    }
    assert!(!is_joined(&alice).await);
}

/// An answer that never ends is given up, after a while and after so many bytes; meanwhile another
/// room is joined, and one after it this room, too.
#[test]
fn an_answer_without_end_is_given_up() {
    simulate(1, async |server: &TestServer| {
        let alice = server.user("alice").await;
        let liar = Peer::start(server.network(), "liar.example");
        let honest = Peer::start(server.network(), "honest.example");
        let trap = PeerRoom::create(&liar, "12", "mallory");
        let room = PeerRoom::create(&honest, "12", "carol");
        let (_trap, _room) = (PeerHost::new(trap.clone()), PeerHost::new(room.clone()));
        for pause_ms in [10_000, 100] {
            let begun_ms = server.now_ms();
            let bytes = Arc::new(AtomicUsize::new(0));
            let counted = bytes.clone();
            liar.answer_with(Method::PUT, SEND_JOIN, move |_| {
                Response::new(without_end(
                    Duration::from_millis(pause_ms),
                    counted.clone(),
                ))
            });
            let path = format!("/join/{}?via=honest.example", encode(room.id.as_str()));
            let (trapped, joined) = tokio::join!(join(&alice, &trap), alice.post(&path, json!({})));
            assert_eq!(trapped.code(), (502, "M_UNKNOWN"), "{}", trapped.text);
            joined.ok();
            let minutes = (server.now_ms() - begun_ms) / 60_000;
            assert!(minutes <= 16, "{minutes} minutes");
            assert!(bytes.load(Ordering::Relaxed) < 64 * 1024 * 1024);
        }
        let _host = PeerHost::new(trap.clone());
        join(&alice, &trap).await.ok();
    });
}

/// A list of events that goes on and on; how much of it was taken is added up.
fn without_end(pause: Duration, taken: Arc<AtomicUsize>) -> axum::body::Body {
    let mut next = Bytes::from_static(br#"{"state":["#);
    dripping(pause, move || {
        let again = Bytes::from_static(br#"{"type":"m.room.topic"},"#);
        let piece = std::mem::replace(&mut next, again);
        taken.fetch_add(piece.len(), Ordering::Relaxed);
        Some(piece)
    })
}
