//! Sticky events (MSC4354) between servers: they reach who comes later, and are judged anew.

use std::time::Duration;

use myelin_core::event::Event;
use myelin_rooms::Outcome;
use myelin_testkit::{
    Peer, PeerEvent, PeerRoom, TestServer, User, encode, text, three_modes, three_modes_federated,
    wait_until,
};
use serde_json::{Value, json};

three_modes!(
    what_comes_from_elsewhere_is_sticky,
    its_sender_cannot_make_it_last,
    what_was_refused_is_shown_when_the_room_has_changed,
    too_many_of_one_sender_wait,
    what_is_read_back_is_sticky,
);

three_modes_federated!(whoever_comes_later_is_sent_what_is_sticky);

const KIND: &str = "org.example.sticky";
const MINUTES_MS: u32 = 300_000;

/// The ids in the section of sticky events.
fn sticky(answer: &Value, room: &str) -> Vec<String> {
    let events = &answer["rooms"]["join"][room]["msc4354_sticky"]["events"];
    let events = events.as_array().into_iter().flatten();
    events.map(|event| text(event, "event_id")).collect()
}

/// A public room of alice's, in which there is bob of a peer.
async fn room_with_bob(server: &TestServer) -> (User, PeerRoom) {
    let peer = Peer::start(server.network(), "peer.example");
    let alice = server.user("alice").await;
    let room_id = alice.create_public_room().await;
    let room = PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
    (alice, room)
}

fn stick(room: &mut PeerRoom, (sent, sticky_ms): (Option<u64>, u32)) -> Event {
    let bob = room.user("bob");
    room.append(PeerEvent {
        sticky_ms: Some(sticky_ms),
        origin_server_ts: sent,
        ..PeerEvent::new(&bob, KIND, json!({}))
    })
}

/// Alice's `/sync` without a timeline.
async fn sync(alice: &User, since: &str) -> Value {
    let filter = json!({"room": {"timeline": {"types": []}}}).to_string();
    let since = format!("since={}&", encode(since));
    let since = if since == "since=&" { "" } else { &since };
    let path = format!("/sync?{since}timeout=0&filter={}", encode(&filter));
    alice.get(&path).await.ok()
}

async fn what_comes_from_elsewhere_is_sticky(server: &TestServer) {
    let (alice, mut room) = room_with_bob(server).await;
    let since = text(&alice.sync(None).await, "next_batch");
    let event = stick(&mut room, (None, MINUTES_MS));
    room.receive(server, &event).await;
    for since in [&*since, ""] {
        let answer = sync(&alice, since).await;
        assert_eq!(sticky(&answer, room.id.as_str()), [event.event_id.as_str()]);
    }
    server
        .clock()
        .advance(Duration::from_millis(MINUTES_MS.into()));
    let answer = sync(&alice, "").await;
    assert!(sticky(&answer, room.id.as_str()).is_empty());
}

async fn its_sender_cannot_make_it_last(server: &TestServer) {
    let (alice, room) = room_with_bob(server).await;
    let now_ms = server.now_ms();
    let left = async |event: &Event| {
        let answer = sync(&alice, "").await;
        let events = &answer["rooms"]["join"][room.id.as_str()]["msc4354_sticky"]["events"];
        let events = events.as_array().cloned().unwrap_or_default();
        let found = events
            .into_iter()
            .find(|found| found["event_id"] == event.event_id.as_str());
        found.map(|found| found["unsigned"]["msc4354_sticky_duration_ttl_ms"].clone())
    };
    let mut making = room.clone();
    for (sent, duration_ms, expected) in [
        (now_ms + 86_400_000, MINUTES_MS, Some(json!(MINUTES_MS))),
        (now_ms, u32::MAX, Some(json!(3_600_000))),
        (now_ms - 100_000, MINUTES_MS, Some(json!(200_000))),
        (now_ms - u64::from(MINUTES_MS), MINUTES_MS, None),
        (now_ms, 0, None),
    ] {
        let event = stick(&mut making, (Some(sent), duration_ms));
        making.receive(server, &event).await;
        assert_eq!(left(&event).await, expected, "{sent} {duration_ms}");
    }
}

async fn what_was_refused_is_shown_when_the_room_has_changed(server: &TestServer) {
    let (alice, mut room) = room_with_bob(server).await;
    let bob = room.user("bob");
    let room_path = encode(room.id.as_str());
    let path = |act: &str| format!("/rooms/{room_path}/{act}");
    alice.post(&path("ban"), json!({"user_id": bob})).await.ok();
    let since = text(&alice.sync(None).await, "next_batch");
    // On Bob's server he is still in the room.
    let mut refused = Vec::new();
    for duration_ms in [MINUTES_MS, 1_000, 0] {
        let event = stick(&mut room, (None, duration_ms));
        let outcome = server.rooms().receive_event(event.clone()).await.unwrap();
        assert!(matches!(outcome, Outcome::SoftFailed { .. }), "{outcome:?}");
        refused.push(event.event_id.to_string());
    }
    let answer = sync(&alice, &since).await;
    assert!(sticky(&answer, room.id.as_str()).is_empty());
    let event = format!("/rooms/{room_path}/event/{}", encode(&refused[0]));
    alice.get(&event).await.refused(404, "M_NOT_FOUND");
    alice
        .send(room.id.as_str(), "a change that changes nothing")
        .await;
    server.clock().advance(Duration::from_secs(2));

    alice
        .post(&path("unban"), json!({"user_id": bob}))
        .await
        .ok();
    let member = alice
        .state(room.id.as_str(), "m.room.member", bob.as_str())
        .await
        .ok();
    assert_eq!(member["membership"], "leave");
    let mut theirs = PeerRoom::of(&room.peer, &alice, room.id.as_str()).await;
    let join = theirs.set(
        &bob,
        "m.room.member",
        bob.as_str(),
        json!({"membership": "join"}),
    );
    theirs.receive(server, &join).await;
    wait_until("it is shown", async || {
        server.clock().advance(Duration::from_secs(1));
        !sticky(&sync(&alice, &since).await, room.id.as_str()).is_empty()
    })
    .await;
    for since in [&*since, ""] {
        let answer = sync(&alice, since).await;
        assert_eq!(sticky(&answer, room.id.as_str()), [&*refused[0]]);
    }
    let event = alice.get(&event).await.ok();
    assert_eq!(event["event_id"], refused[0]);
    let context = format!("/rooms/{room_path}/context/{}", encode(&refused[0]));
    alice.get(&context).await.refused(404, "M_NOT_FOUND");
    let page = alice
        .messages(room.id.as_str(), "dir=b&limit=100")
        .await
        .ok();
    let events = page["chunk"].as_array().unwrap();
    assert!(
        events.iter().all(|event| event["type"] != KIND),
        "it has no place in the room"
    );
}

/// What was said before this server came is sticky as well once it is known, if the room as it is now
/// allows it.
async fn what_is_read_back_is_sticky(server: &TestServer) {
    let peer = Peer::start(server.network(), "peer.example");
    let mut room = PeerRoom::create(&peer, "11", "bob");
    let bob = room.user("bob");
    let eve = room.user("eve");
    let member = |membership: &str| json!({"membership": membership});
    room.set(&eve, "m.room.member", eve.as_str(), member("join"));
    let of_eve = PeerEvent {
        sticky_ms: Some(MINUTES_MS),
        ..PeerEvent::new(&eve, KIND, json!({}))
    };
    room.append(of_eve);
    let event = stick(&mut room, (None, MINUTES_MS));
    stick(&mut room, (Some(server.now_ms() - 600_000), MINUTES_MS));
    room.set(&bob, "m.room.member", eve.as_str(), member("ban"));
    room.message(&bob, "late");
    let alice = server.user("alice").await;
    let _hosted = room.clone().serve();
    let path = format!("/join/{}?via=peer.example", encode(room.id.as_str()));
    alice.post(&path, json!({})).await.ok();
    let since = text(&alice.sync(None).await, "next_batch");
    assert!(sticky(&sync(&alice, &since).await, room.id.as_str()).is_empty());
    let page = alice
        .messages(room.id.as_str(), "dir=b&limit=100")
        .await
        .ok();
    let events = page["chunk"].as_array().unwrap();
    let found = events.iter().filter(|event| event["type"] == KIND);
    assert_eq!(found.count(), 3, "{page}");
    server
        .wait_while_time_passes("it is shown", async || {
            !sticky(&sync(&alice, &since).await, room.id.as_str()).is_empty()
        })
        .await;
    for since in [&*since, ""] {
        let answer = sync(&alice, since).await;
        assert_eq!(sticky(&answer, room.id.as_str()), [event.event_id.as_str()]);
    }
}

/// Option B of the proposal's "Rate limits": nothing is refused, so no other event of a transaction is
/// sent again, but what is too much is shown later.
async fn too_many_of_one_sender_wait(server: &TestServer) {
    let (alice, mut room) = room_with_bob(server).await;
    let hour_ms = 3_600_000;
    let mut all = Vec::new();
    for _ in 0..103 {
        let event = stick(&mut room, (None, hour_ms));
        room.receive(server, &event).await;
        all.push(event.event_id.to_string());
    }
    let query = format!("org.matrix.msc4354.sticky_duration_ms={hour_ms}");
    let path = format!("/rooms/{}/send/{KIND}/1?{query}", encode(room.id.as_str()));
    let other = text(&alice.put(&path, json!({})).await.ok(), "event_id");
    let mut since = String::new();
    let mut told = async || {
        let mut told = Vec::new();
        loop {
            let answer = sync(&alice, &since).await;
            since = text(&answer, "next_batch");
            let new = sticky(&answer, room.id.as_str());
            if new.is_empty() {
                return told;
            }
            told.extend(new);
        }
    };
    let held = all.split_off(100);
    all.push(other);
    assert_eq!(told().await, all, "what others send is not held back");
    server.clock().advance(Duration::from_mins(9));
    assert!(told().await.is_empty());
    server.clock().advance(Duration::from_mins(1));
    let mut late = Vec::new();
    wait_until("the others are shown", async || {
        server.clock().advance(Duration::from_secs(1));
        late.extend(told().await);
        late.len() >= held.len()
    })
    .await;
    assert_eq!(late, held, "in their order");
}

async fn whoever_comes_later_is_sent_what_is_sticky(here: &TestServer, there: &TestServer) {
    let (alice, bob) = (here.user("alice").await, there.user("bob").await);
    let room = alice.create_public_room().await;
    let send = async |txn: &str, duration_ms: u32| {
        let query = format!("org.matrix.msc4354.sticky_duration_ms={duration_ms}");
        let path = format!("/rooms/{}/send/{KIND}/{txn}?{query}", encode(&room));
        text(&alice.put(&path, json!({})).await.ok(), "event_id")
    };
    let mut wanted = vec![send("1", 3_600_000).await, send("2", 3_600_000).await];
    wanted.sort();
    alice.send(&room, "not sticky").await;
    let path = format!("/join/{}?via={}", encode(&room), here.name());
    bob.post(&path, json!({})).await.ok();
    wait_until("bob is told of both", async || {
        here.clock().advance(Duration::from_millis(100));
        there.clock().advance(Duration::from_millis(100));
        let filter = json!({"room": {"timeline": {"types": []}}}).to_string();
        let path = format!("/sync?timeout=0&filter={}", encode(&filter));
        let mut found = sticky(&bob.get(&path).await.ok(), &room);
        found.sort();
        found == wanted
    })
    .await;
}
