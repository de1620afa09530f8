//! Servers that cannot be reached, and come back.

use std::{sync::Arc, time::Duration};

use myelin_store::destinations::{self, Destination};
use myelin_testkit::{Peer, PeerRoom, TestServer, encode, three_modes, wait_until};
use serde_json::json;

use crate::support::{
    HOURS, answer, arrives, arrives_in_time, asked, bodies, member_arrives, refuse, shared_room,
    take,
};

three_modes! {
    what_was_missed_arrives_when_the_server_is_back,
    attempts_follow_the_clock,
    who_asks_to_be_left_alone_is_left_alone,
    a_server_that_is_heard_of_is_tried_at_once,
    an_operator_can_ask_for_another_attempt,
    a_restart_forgets_nobody_who_is_behind,
    after_a_long_time_only_the_newest_is_sent,
    a_ban_reaches_a_server_that_was_away,
    a_server_that_is_behind_delays_no_other,
    receipts_are_caught_up_once,
}

async fn rows(server: &TestServer) -> Vec<Destination> {
    let store = &server.stores()[0];
    destinations::list(&mut store.read()).await.unwrap()
}

/// Waits until it stands in the database that a server is behind.
async fn is_behind(server: &TestServer, failures: i64) -> Destination {
    let found = async || {
        rows(server)
            .await
            .first()
            .is_some_and(|row| row.failures >= failures)
    };
    wait_until("the failure is written down", found).await;
    rows(server).await[0]
}

async fn what_was_missed_arrives_when_the_server_is_back(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let rooms = [
        shared_room(server, (&alice, &peer)).await,
        shared_room(server, (&alice, &peer)).await,
    ];
    server.network().set_cut_off("peer.example", true);
    let mut sent = [Vec::new(), Vec::new()];
    for n in 0..150 {
        let body = format!("message {n}");
        alice.send(rooms[n % 2].id.as_str(), &body).await;
        sent[n % 2].push(body);
    }
    is_behind(server, 1).await;
    assert!(peer.transactions().is_empty());
    server.network().set_cut_off("peer.example", false);
    server.clock().advance(Duration::from_secs(10));
    arrives(&peer, "message 149").await;
    arrives(&peer, "message 148").await;
    for (room, sent) in rooms.iter().zip(&sent) {
        let pdus = peer.pdus();
        let of_room = pdus.iter().filter(|pdu| pdu["room_id"] == room.id.as_str());
        let found: Vec<_> = of_room
            .filter_map(|pdu| pdu["content"]["body"].as_str())
            .collect();
        assert_eq!(found, *sent);
    }
    wait_until("it is behind no more", async || {
        rows(server).await.is_empty()
    })
    .await;
    alice.send(rooms[0].id.as_str(), "and on").await;
    arrives(&peer, "and on").await;
}

async fn attempts_follow_the_clock(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let witness = Peer::start(server.network(), "witness.example");
    let room = shared_room(server, (&alice, &peer)).await;
    PeerRoom::joined(&witness, server, (&alice, room.id.as_str()), "carol").await;
    refuse(&peer);
    alice.send(room.id.as_str(), "one").await;
    asked(&peer, 1).await;
    is_behind(server, 1).await;
    // Whatever happens meanwhile, it is not asked again before its time.
    for body in ["two", "three", "four"] {
        alice.send(room.id.as_str(), body).await;
        arrives(&witness, body).await;
    }
    assert_eq!(peer.transactions().len(), 1);
    let mut pauses = Vec::new();
    for attempt in 2..=6 {
        let row = is_behind(server, attempt - 1).await;
        let pause_ms = row.next_try_ms.cast_unsigned() - server.now_ms();
        pauses.push(pause_ms);
        server.clock().advance(Duration::from_millis(pause_ms));
        asked(&peer, usize::try_from(attempt).unwrap()).await;
    }
    // Each is about twice the one before it.
    for pair in pauses.windows(2) {
        assert!(pair[1] > pair[0] && pair[1] < pair[0] * 4, "{pauses:?}");
    }
    take(&peer);
    server.clock().advance(HOURS);
    arrives(&peer, "four").await;
    assert_eq!(bodies(&peer), ["one", "two", "three", "four"]);
}

async fn who_asks_to_be_left_alone_is_left_alone(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = shared_room(server, (&alice, &peer)).await;
    let limited = json!({"errcode": "M_LIMIT_EXCEEDED", "error": "no", "retry_after_ms": 600_000});
    answer(&peer, 429, limited);
    alice.send(room.id.as_str(), "hello").await;
    let row = is_behind(server, 1).await;
    assert_eq!(row.next_try_ms.cast_unsigned(), server.now_ms() + 600_000);
    take(&peer);
    server.clock().advance(Duration::from_mins(10));
    arrives(&peer, "hello").await;
}

async fn a_server_that_is_heard_of_is_tried_at_once(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = shared_room(server, (&alice, &peer)).await;
    refuse(&peer);
    alice.send(room.id.as_str(), "hello").await;
    is_behind(server, 1).await;
    take(&peer);
    // The clock stands still: without the request it would not be tried.
    let path = "/_matrix/federation/v1/query/profile?user_id=@alice:localhost";
    peer.get(server, path).await;
    arrives(&peer, "hello").await;
}

async fn an_operator_can_ask_for_another_attempt(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = shared_room(server, (&alice, &peer)).await;
    refuse(&peer);
    alice.send(room.id.as_str(), "hello").await;
    let row = is_behind(server, 1).await;
    take(&peer);
    let stores = server.stores();
    let store = &stores[stores.len() - 1];
    let now_ms = server.now_ms().cast_signed();
    let behind = myelin_delivery::list_behind(store, now_ms).await.unwrap();
    assert_eq!(behind[0].name, "peer.example");
    assert_eq!(
        (behind[0].failures, behind[0].is_parked),
        (row.failures, false)
    );
    let counts = myelin_delivery::count_behind(store, now_ms).await.unwrap();
    assert_eq!((counts.behind, counts.failing, counts.parked), (1, 1, 0));
    assert!(
        !myelin_delivery::retry(store, "other.example")
            .await
            .unwrap()
    );
    assert!(myelin_delivery::retry(store, "peer.example").await.unwrap());
    arrives(&peer, "hello").await;
}

async fn a_restart_forgets_nobody_who_is_behind(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = shared_room(server, (&alice, &peer)).await;
    refuse(&peer);
    alice.send(room.id.as_str(), "one").await;
    is_behind(server, 1).await;
    server.restart().await;
    alice.send(room.id.as_str(), "two").await;
    take(&peer);
    server.clock().advance(HOURS);
    arrives(&peer, "two").await;
    assert_eq!(bodies(&peer), ["one", "two"]);
}

async fn after_a_long_time_only_the_newest_is_sent(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = shared_room(server, (&alice, &peer)).await;
    let quiet = shared_room(server, (&alice, &peer)).await;
    refuse(&peer);
    alice.send(quiet.id.as_str(), "quiet").await;
    let mut row = is_behind(server, 1).await;
    for n in 0..130 {
        alice.send(room.id.as_str(), &format!("message {n}")).await;
    }
    // It fails for more than an hour.
    for attempt in 2.. {
        if server.now_ms().cast_signed() - row.failing_since_ms > 4_000_000 {
            break;
        }
        let pause_ms = row.next_try_ms - server.now_ms().cast_signed();
        server
            .clock()
            .advance(Duration::from_millis(pause_ms.cast_unsigned()));
        row = is_behind(server, attempt).await;
    }
    take(&peer);
    server.clock().advance(HOURS);
    arrives(&peer, "message 129").await;
    arrives(&peer, "quiet").await;
    let newest: Vec<_> = (80..130).map(|n| format!("message {n}")).collect();
    let mut found = bodies(&peer);
    found.retain(|body| body != "quiet");
    assert_eq!(found, newest);
    assert_eq!(
        peer.transactions()
            .iter()
            .filter(|sent| sent.status == 200)
            .count(),
        2
    );
}

async fn a_ban_reaches_a_server_that_was_away(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = shared_room(server, (&alice, &peer)).await;
    let bob = room.user("bob");
    refuse(&peer);
    alice.send(room.id.as_str(), "you are still here").await;
    is_behind(server, 1).await;
    let path = format!("/rooms/{}/ban", encode(room.id.as_str()));
    alice.post(&path, json!({"user_id": bob})).await.ok();
    alice.send(room.id.as_str(), "not for you").await;
    // What was in memory is gone: it is caught up from the database.
    server.restart().await;
    take(&peer);
    server.clock().advance(HOURS);
    member_arrives(&peer, bob.as_str(), "ban").await;
    wait_until("it is behind no more", async || {
        rows(server).await.is_empty()
    })
    .await;
    assert_eq!(bodies(&peer), ["you are still here"]);
}

async fn a_server_that_is_behind_delays_no_other(server: &TestServer) {
    let alice = server.user("alice").await;
    let room_id = alice.create_public_room().await;
    let mut peers: Vec<Arc<Peer>> = Vec::new();
    for n in 0..20 {
        let peer = Peer::start(server.network(), &format!("peer{n}.example"));
        PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
        if n % 2 == 0 {
            refuse(&peer);
        }
        peers.push(peer);
    }
    for n in 0..10 {
        alice.send(&room_id, &format!("message {n}")).await;
    }
    for peer in peers.iter().skip(1).step_by(2) {
        arrives(peer, "message 9").await;
    }
    for peer in peers.iter().step_by(2) {
        assert!(peer.pdus().is_empty());
        take(peer);
    }
    for peer in &peers {
        arrives_in_time(server, peer, "message 9").await;
        let found = bodies(peer);
        let mut sorted = found.clone();
        sorted.sort_unstable();
        assert_eq!(found, sorted);
        assert_eq!(found.len(), 10);
    }
}

async fn receipts_are_caught_up_once(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let mut room = shared_room(server, (&alice, &peer)).await;
    let bob = room.user("bob");
    refuse(&peer);
    let mut last = String::new();
    for n in 0..5 {
        let event = room.message(&bob, &format!("message {n}"));
        room.receive(server, &event).await;
        last = event.event_id.to_string();
        let path = format!(
            "/rooms/{}/receipt/m.read/{}",
            encode(room.id.as_str()),
            encode(&last)
        );
        alice.post(&path, json!({})).await.ok();
    }
    is_behind(server, 1).await;
    server.restart().await;
    take(&peer);
    server.clock().advance(HOURS);
    wait_until("the receipt arrives", async || !peer.edus().is_empty()).await;
    let edus = peer.edus();
    let receipts: Vec<_> = edus
        .iter()
        .filter(|edu| edu["edu_type"] == "m.receipt")
        .collect();
    assert_eq!(receipts.len(), 1);
    let read = &receipts[0]["content"][room.id.as_str()]["m.read"][alice.id.as_str()];
    assert_eq!(read["event_ids"], json!([last]));
}
