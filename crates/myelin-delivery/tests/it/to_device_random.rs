//! Random histories of messages to devices between two servers: people send, the way is cut off and
//! opened again, servers are killed, devices poll and lose answers. In the end each device has received
//! what it was sent, once, and what one sender sent in the order of sending. A failure names the
//! seed.

use std::time::Duration;

use myelin_testkit::{Mode, SeededChance, TestServer, User, run_federated, text, wait_until};
use serde_json::{Value, json};

use crate::support::send_to_device;

mod random_histories {
    use super::{Mode, case, run_federated};

    #[test]
    fn sqlite() {
        run_federated(Mode::Sqlite, &async |here, there| {
            for seed in 0..3 {
                case((here, there), seed).await;
            }
        });
    }

    #[test]
    fn postgres() {
        run_federated(Mode::Postgres, &async |here, there| {
            case((here, there), 100).await;
        });
    }

    #[test]
    fn two_nodes() {
        run_federated(Mode::TwoNodes, &async |here, there| {
            for seed in 200..202 {
                case((here, there), seed).await;
            }
        });
    }
}

/// Things that happen in one history.
const STEPS: usize = 30;

/// A user who sends to the one on the other server, and receives.
struct Side<'a> {
    server: &'a TestServer,
    user: User,
    sent: u64,
    since: Option<String>,
    /// What was received for good.
    received: Vec<u64>,
    /// What was in the last answer, for which no token was shown yet.
    unconfirmed: Vec<u64>,
}

impl Side<'_> {
    /// Polls with the token of the last answer, or, as if that had been lost, with the one before.
    async fn poll(&mut self, is_lost: bool) {
        let sync = self.user.sync(self.since.as_deref()).await;
        if is_lost {
            return;
        }
        self.received.append(&mut self.unconfirmed);
        let events = sync["to_device"]["events"].as_array();
        let number = |event: &Value| event["content"]["n"].as_u64().unwrap();
        self.unconfirmed = events.into_iter().flatten().map(number).collect();
        self.since = Some(text(&sync, "next_batch"));
    }

    async fn send(&mut self, to: &User, seed: u64) {
        let messages = json!({&to.id: {&to.device: {"n": self.sent}}});
        send_to_device(&self.user, &format!("{seed} {}", self.sent), messages).await;
        self.sent += 1;
    }
}

async fn case((here, there): (&TestServer, &TestServer), seed: u64) {
    let chance = SeededChance::new(seed);
    let mut sides = Vec::new();
    for (server, name) in [(here, "alice"), (there, "bob")] {
        sides.push(Side {
            server,
            user: server.user(&format!("{name}{seed}")).await,
            sent: 0,
            since: None,
            received: Vec::new(),
            unconfirmed: Vec::new(),
        });
    }
    let network = here.network();
    for _ in 0..STEPS {
        let (from, to) = if chance.below(2) == 0 { (0, 1) } else { (1, 0) };
        let other = sides[to].user.clone();
        let side = &mut sides[from];
        match chance.below(8) {
            0..3 => {
                for _ in 0..=chance.below(30) {
                    side.send(&other, seed).await;
                }
            }
            3 => network.set_cut_off(side.server.name(), true),
            4 => network.set_cut_off(side.server.name(), false),
            5 => {
                side.server.kill().await;
                side.server.start_again().await;
            }
            6 => here.clock().advance(Duration::from_mins(2)),
            _ => side.poll(chance.below(2) == 0).await,
        }
    }
    for side in &sides {
        network.set_cut_off(side.server.name(), false);
    }
    for (index, other) in [(0, 1), (1, 0)] {
        let sent = sides[other].sent;
        let side = &mut sides[index];
        wait_until("everything has arrived", async || {
            for server in [here, there] {
                server.clock().advance(Duration::from_secs(10));
            }
            side.poll(false).await;
            let count = side.received.len() + side.unconfirmed.len();
            u64::try_from(count).unwrap() >= sent
        })
        .await;
        side.poll(false).await;
        assert!(side.unconfirmed.is_empty(), "seed {seed}");
        let expected: Vec<u64> = (0..sent).collect();
        assert_eq!(side.received, expected, "seed {seed}");
    }
}
