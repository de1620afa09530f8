//! What received events cost, in statements, rows and nodes of the state.

use std::sync::Arc;

use myelin_rooms::Join;
use myelin_testkit::{Mode, Peer, PeerRoom, TestServer, User, run};
use ruma::{RoomId, UserId};
use tokio::task::JoinSet;

/// Requests in flight at once while a test prepares.
const SIDE_BY_SIDE: usize = 64;

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
    assert_eq!(small.0, 0, "nodes of the state");
    assert_eq!(small, large);
}

/// Trie nodes read, rows read and rows written by one message.
async fn cost(
    server: &TestServer,
    peer: &Arc<Peer>,
    alice: &User,
    members: usize,
) -> (u64, u64, u64) {
    let room_id = alice.create_public_room().await;
    fill(server, &room_id, members).await;
    let mut room = PeerRoom::joined(peer, server, (alice, &room_id), "bob").await;
    let bob = room.user("bob");
    // The first one fills the caches.
    let first = room.message(&bob, "one");
    room.receive(server, &first).await;
    let event = room.message(&bob, "two");
    let store = &server.stores()[0];
    let before = store.counts();
    room.receive(server, &event).await;
    let after = store.counts();
    (
        after.trie_nodes_read - before.trie_nodes_read,
        after.rows_read - before.rows_read,
        after.rows_written - before.rows_written,
    )
}

async fn fill(server: &TestServer, room_id: &str, members: usize) {
    let room_id = Arc::new(RoomId::parse(room_id).unwrap());
    let mut running = JoinSet::new();
    for number in 0..members {
        if running.len() == SIDE_BY_SIDE {
            running.join_next().await.unwrap().unwrap();
        }
        let (rooms, room_id) = (server.rooms(), room_id.clone());
        running.spawn(async move {
            let user = UserId::parse(format!("@member{number}:localhost")).unwrap();
            let join = Join {
                room_id: &room_id,
                user: &user,
                guest: false,
                reason: None,
                third_party_signed: None,
                via: &[],
                transaction: None,
            };
            rooms.join(join).await.unwrap();
        });
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
}
