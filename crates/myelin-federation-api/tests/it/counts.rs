//! What received events cost, in statements, rows and nodes of the state.

use std::sync::Arc;

use myelin_store::Counts;
use myelin_testkit::{Mode, Peer, PeerRoom, TestServer, User, fill_room, least_cost, run};

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
