//! What received events cost, in statements, rows and nodes of the state.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use myelin_store::{Counts, inbox};
use myelin_testkit::{
    Mode, Peer, PeerEvent, PeerRoom, TestServer, User, fill_room, least_cost, pdu, run,
    three_modes, wait_until,
};

/// A server that asks nothing of its database for so long is at rest.
const REST: Duration = Duration::from_secs(2);

mod a_message_costs_the_same_in_a_room_of_any_size {
    use super::{Mode, run};

    #[test]
    fn sqlite() {
        run(Mode::Sqlite, &super::a_message_costs_the_same);
    }

    #[test]
    fn postgres() {
        run(Mode::Postgres, &super::a_message_costs_the_same);
    }
}

three_modes!(a_server_comes_to_rest);

/// What waits for its time is not looked for in the database again and again.
async fn a_server_comes_to_rest(server: &TestServer) {
    let alice = server.user("alice").await;
    let room_id = alice.create_public_room().await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
    let silent = Peer::start(server.network(), "silent.example");
    server.network().set_cut_off("silent.example", true);
    let of_silent = PeerRoom {
        peer: silent,
        ..room.clone()
    };
    let carol = of_silent.user("carol");
    let waits = of_silent.make(PeerEvent::text(&carol, "nobody has my keys"));
    peer.transaction(server, vec![pdu(&waits)], Vec::new())
        .await
        .ok();
    for store in server.stores() {
        let mut last = (store.counts().statements, Instant::now());
        wait_until("the server is at rest", async || {
            let statements = store.counts().statements;
            if statements != last.0 {
                last = (statements, Instant::now());
            }
            last.1.elapsed() >= REST
        })
        .await;
        let due = inbox::next_due(&mut store.read()).await.unwrap();
        assert!(due.is_some(), "the event still waits");
    }
}

/// A message without a fork looks at no node of the state: what vouches for it is in memory, or one
/// row each.
async fn a_message_costs_the_same(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let small = cost(server, &peer, &alice, 10).await;
    let large = cost(server, &peer, &alice, 10_000).await;
    assert_eq!(small.trie_nodes_read, 0, "nodes of the state");
    let rows = |cost: &Counts| (cost.trie_nodes_read, cost.rows_read, cost.rows_written);
    assert_eq!(rows(&small), rows(&large));
}

/// What one message costs in a room with this many members.
async fn cost(server: &TestServer, peer: &Arc<Peer>, alice: &User, members: usize) -> Counts {
    let room_id = alice.create_public_room().await;
    fill_room(server, &room_id, members).await;
    let mut room = PeerRoom::joined(peer, server, (alice, &room_id), "bob").await;
    let bob = room.user("bob");
    let receive = async || {
        let event = room.message(&bob, "hello");
        room.receive(server, &event).await;
    };
    least_cost(server, receive).await
}
