//! Delayed events while servers are killed: nothing is lost, nothing is sent twice.

use std::time::Duration;

use myelin_testkit::{Mode, TestServer, User, three_modes, wait_until};
use serde_json::json;

use super::{STABLE, delay, sent};

three_modes!(
    kills_lose_nothing_and_repeat_nothing,
    two_nodes_and_their_users_send_each_event_once,
);

const ROUNDS: u64 = 6;
const ROOMS: usize = 3;
const EACH_ROUND: usize = 4;
const ROUND: Duration = Duration::from_mins(1);
/// As long as the lease of the node that sends, and half a round.
const LEASE: Duration = Duration::from_secs(30);

/// Rooms, and what is to be sent in each; all events of a round are due at once.
struct World {
    alice: User,
    rooms: Vec<String>,
    ids: Vec<String>,
}

impl World {
    async fn new(server: &TestServer) -> Self {
        let alice = server.user("alice").await;
        let (mut rooms, mut ids) = (Vec::new(), Vec::new());
        for _ in 0..ROOMS {
            let room = alice.create_room().await;
            let rounds = (1..=ROUNDS).flat_map(|round| [round; EACH_ROUND]);
            for round in rounds {
                let id = delay(&alice, &room, 60 * round, ids.len()).await;
                ids.push(id);
            }
            rooms.push(room);
        }
        Self { alice, rooms, ids }
    }

    /// How many have been sent.
    async fn count(&self) -> usize {
        let mut count = 0;
        for room in &self.rooms {
            count += sent(&self.alice, room).await.len();
        }
        count
    }

    /// Waits for all, and looks whether each is there once.
    async fn assert_each_once(&self, server: &TestServer) {
        wait_until("nothing waits any more", async || {
            server.clock().advance(Duration::from_secs(1));
            self.alice.get(STABLE).await.ok()["delayed_events"] == json!([])
        })
        .await;
        for (number, room) in self.rooms.iter().enumerate() {
            let mut found = sent(&self.alice, room).await;
            found.sort_unstable();
            let of_room = self.ids.len() / ROOMS;
            let all = number * of_room..(number + 1) * of_room;
            let all: Vec<u64> = all.map(|number| number as u64).collect();
            assert_eq!(found, all);
        }
    }
}

async fn kills_lose_nothing_and_repeat_nothing(server: &TestServer) {
    let world = World::new(server).await;
    for round in 1..=ROUNDS {
        server.clock().advance(LEASE);
        if round % 2 == 0 {
            // While it sends: some of the round before are in the database, some are not.
            let before = usize::try_from(round - 2).unwrap() * ROOMS * EACH_ROUND;
            let wanted = before + 1;
            wait_until("one of them is sent", async || {
                world.count().await >= wanted
            })
            .await;
        }
        server.kill().await;
        server.clock().advance(LEASE);
        server.start_again().await;
    }
    world.assert_each_once(server).await;
}

/// Whoever sends by hand, cancels and restarts meets the node that sends, and one comes first.
async fn two_nodes_and_their_users_send_each_event_once(server: &TestServer) {
    let world = World::new(server).await;
    for round in 1..=ROUNDS {
        let end = usize::try_from(round).unwrap() * EACH_ROUND;
        let of_room = world.ids.len() / ROOMS;
        let due =
            (0..ROOMS).flat_map(|room| room * of_room + end - EACH_ROUND..room * of_room + end);
        let due: Vec<String> = due.map(|index| world.ids[index].clone()).collect();
        let send = async |id: &str| {
            let path = format!("{STABLE}/{id}/send");
            world.alice.post(&path, json!({})).await.ok();
        };
        let by_hand = async {
            for id in &due {
                tokio::join!(send(id), send(id));
            }
        };
        let by_time = async { server.clock().advance(ROUND) };
        tokio::join!(by_hand, by_time);
        if server.mode() == Mode::TwoNodes && round == ROUNDS / 2 {
            server.kill().await;
            server.clock().advance(LEASE);
            server.start_again().await;
        }
    }
    world.assert_each_once(server).await;
}
