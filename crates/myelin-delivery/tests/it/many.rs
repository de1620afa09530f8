//! Many servers, and nodes that end in the middle of it.

use std::{sync::Arc, time::Duration};

use myelin_store::{WriteSet, destinations, room_servers};
use myelin_testkit::{Mode, Peer, PeerRoom, TestServer, User, three_modes, wait_until};

use crate::support::{HOURS, arrives, assert_nothing_doubled, bodies, shared_room};

three_modes! {
    a_kill_while_fifty_servers_are_sent_to_loses_nothing,
    a_restart_while_fifty_servers_are_sent_to_loses_nothing,
    an_event_costs_its_room_and_not_all_servers,
    a_room_without_others_costs_nothing,
}

/// A room with users of that many other servers.
async fn room_with_peers(
    server: &TestServer,
    (alice, count): (&User, usize),
) -> (String, Vec<Arc<Peer>>) {
    let room_id = alice.create_public_room().await;
    let mut peers = Vec::new();
    for n in 0..count {
        let peer = Peer::start(server.network(), &format!("peer{n}.example"));
        PeerRoom::joined(&peer, server, (alice, &room_id), "bob").await;
        peers.push(peer);
    }
    (room_id, peers)
}

async fn a_kill_while_fifty_servers_are_sent_to_loses_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let (room_id, peers) = room_with_peers(server, (&alice, 50)).await;
    for (round, peer) in peers.iter().enumerate().take(3) {
        for n in 0..5 {
            alice.send(&room_id, &format!("message {round} {n}")).await;
        }
        // Some of them have it by now, and some have not.
        arrives(peer, &format!("message {round} 0")).await;
        server.kill().await;
        server.start_again().await;
        // A node that is gone holds its lease until it runs out.
        server.clock().advance(Duration::from_mins(1));
    }
    server.clock().advance(HOURS);
    all_arrived(&peers).await;
}

async fn a_restart_while_fifty_servers_are_sent_to_loses_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let (room_id, peers) = room_with_peers(server, (&alice, 50)).await;
    for round in 0..3 {
        for n in 0..5 {
            alice.send(&room_id, &format!("message {round} {n}")).await;
        }
        server.restart().await;
    }
    server.clock().advance(HOURS);
    all_arrived(&peers).await;
}

async fn all_arrived(peers: &[Arc<Peer>]) {
    for peer in peers {
        for round in 0..3 {
            for n in 0..5 {
                arrives(peer, &format!("message {round} {n}")).await;
            }
        }
        assert_nothing_doubled(peer);
    }
}

/// Other servers, which share rooms that nothing happens in, or are behind.
async fn add_others(server: &TestServer, count: usize) {
    let store = &server.stores()[0];
    let names: Vec<String> = (0..count).map(|n| format!("other{n}.example")).collect();
    let names: Vec<&[u8]> = names.iter().map(String::as_bytes).collect();
    let numbers = store.intern(&names).await.unwrap();
    for slice in numbers.chunks(500) {
        let mut writes = WriteSet::new();
        for number in slice {
            room_servers::add(&mut writes, 1_000_000 + number % 50, *number, 1);
            let row = destinations::Destination {
                server: *number,
                failures: 9,
                next_try_ms: i64::MAX,
                ..destinations::Destination::default()
            };
            destinations::put(&mut writes, &row);
        }
        store.commit(writes).await.unwrap();
    }
}

async fn an_event_costs_its_room_and_not_all_servers(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = shared_room(server, (&alice, &peer)).await;
    let mut round = 0;
    let mut cost = async || {
        // The first event after a start reads what is then remembered.
        alice
            .send(room.id.as_str(), &format!("first {round}"))
            .await;
        settled(server, (&peer, &format!("first {round}"))).await;
        let before = statements(server);
        alice
            .send(room.id.as_str(), &format!("second {round}"))
            .await;
        settled(server, (&peer, &format!("second {round}"))).await;
        round += 1;
        statements(server) - before
    };
    if server.mode() == Mode::TwoNodes {
        // The nodes look after each other all the time: there is no telling what costs what.
        return;
    }
    let few = cost().await;
    add_others(server, 2_000).await;
    server.restart().await;
    let many = cost().await;
    // A commit more or less, as they meet in time.
    assert!(many <= few + 10, "{few} {many}");
}

async fn a_room_without_others_costs_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let event = alice.send(&room, "hello").await;
    let log = |store: myelin_store::Store| async move {
        myelin_store::log::list(&mut store.read(), 0, i64::MAX, 1_000)
            .await
            .unwrap()
    };
    let store = server.stores()[0].clone();
    let kinds: Vec<_> = log(store).await.iter().map(|entry| entry.kind).collect();
    assert!(!event.is_empty());
    assert!(!kinds.contains(&myelin_store::LogKind::Delivery));
    assert!(!kinds.contains(&myelin_store::LogKind::RoomServer));
}

fn statements(server: &TestServer) -> u64 {
    server.stores()[0].counts().statements
}

/// Waits until a message has arrived and its sender has written so down.
async fn settled(server: &TestServer, (peer, body): (&Peer, &str)) {
    arrives(peer, body).await;
    assert!(bodies(peer).iter().any(|found| found == body));
    // Waiting reads nothing, so that what is counted is the sender's alone.
    let mut last = (statements(server), 0);
    wait_until("the sender has come to rest", async || {
        let now = statements(server);
        last = if now == last.0 {
            (now, last.1 + 1)
        } else {
            (now, 0)
        };
        last.1 > 30
    })
    .await;
}
