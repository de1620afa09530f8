//! Random histories: people send, devices poll, answers are lost, servers are killed. In the end
//! each device has received what it was sent, once, and what one sender sent in the order of
//! sending. A failure names the seed.

use http::Method;
use myelin_testkit::{TestServer, User, random_histories, text};
use serde_json::{Value, json};

use super::{log_in, messages};
use crate::chance::Chance;

random_histories!(case: 0..4, 100..101, 200..202);

/// Things that happen in one history.
const STEPS: usize = 40;
/// Most messages that a sender sends in one step.
const BURST: usize = 40;

/// Who sends, and how much was sent so far.
struct Sender {
    user: User,
    sent: u64,
}

/// A device, and what it knows.
struct Device {
    user: User,
    since: Option<String>,
    /// What it has received for good: sender and number.
    received: Vec<(String, u64)>,
    /// What was in the last answer, for which it has shown no token yet.
    unconfirmed: Vec<(String, u64)>,
}

impl Device {
    /// Polls with the token of the last answer, or, as if that had been lost, with the one before.
    async fn poll(&mut self, is_lost: bool) {
        let sync = self.user.sync(self.since.as_deref()).await;
        if is_lost {
            return;
        }
        self.received.append(&mut self.unconfirmed);
        self.unconfirmed = messages(&sync).iter().map(origin).collect();
        assert!(self.unconfirmed.len() <= 100);
        self.since = Some(text(&sync, "next_batch"));
    }
}

fn origin(message: &Value) -> (String, u64) {
    let number = message["content"]["n"].as_u64().unwrap();
    (text(message, "sender"), number)
}

async fn case(server: &TestServer, seeds: std::ops::Range<u64>) {
    let mut senders = Vec::new();
    for name in ["bob", "carol"] {
        let user = server.user(name).await;
        senders.push(Sender { user, sent: 0 });
    }
    let alice = server.user("alice").await;
    for seed in seeds {
        let mut chance = Chance(seed);
        let mut devices = Vec::new();
        for name in ["PHONE", "LAPTOP"] {
            let user = log_in(server, "alice", &format!("{name}{seed}")).await;
            devices.push(Device {
                user,
                since: None,
                received: Vec::new(),
                unconfirmed: Vec::new(),
            });
        }
        let began: Vec<u64> = senders.iter().map(|sender| sender.sent).collect();
        for _ in 0..STEPS {
            step(server, &mut chance, &mut senders, &mut devices).await;
        }
        for device in &mut devices {
            while device.since.is_none() || !device.unconfirmed.is_empty() {
                device.poll(false).await;
            }
            for (sender, began) in senders.iter().zip(&began) {
                let from = device.received.iter();
                let from = from.filter(|(name, _)| *name == sender.user.id);
                let numbers: Vec<u64> = from.map(|(_, number)| *number).collect();
                let expected: Vec<u64> = (*began..sender.sent).collect();
                assert_eq!(numbers, expected, "seed {seed}, {}", sender.user.id);
            }
            device.user.post("/logout", json!({})).await.ok();
        }
    }
    assert!(messages(&alice.sync(None).await).len() <= 100);
}

async fn step(
    server: &TestServer,
    chance: &mut Chance,
    senders: &mut [Sender],
    devices: &mut [Device],
) {
    let to: Vec<String> = devices.iter().map(|d| d.user.device.clone()).collect();
    match chance.below(10) {
        0..4 => {
            let [one, other] = senders else { return };
            let burst = 1 + chance.below(BURST);
            tokio::join!(send(one, &to, burst), send(other, &to, burst / 2));
        }
        4 => {
            let sender = &mut senders[chance.below(2)];
            let (killed, ()) = tokio::join!(try_send(sender, &to), server.kill());
            server.start_again().await;
            // Whoever does not know whether it was sent sends it again.
            if killed.is_none() {
                assert_eq!(try_send(sender, &to).await, Some(200));
            }
            sender.sent += 1;
        }
        5 => server.restart().await,
        6 => devices[chance.below(2)].poll(true).await,
        _ => devices[chance.below(2)].poll(false).await,
    }
}

async fn send(sender: &mut Sender, to: &[String], count: usize) {
    for _ in 0..count {
        assert_eq!(try_send(sender, to).await, Some(200));
        sender.sent += 1;
    }
}

/// Sends the sender's next number to these devices of alice; None: the server was killed.
async fn try_send(sender: &Sender, to: &[String]) -> Option<u16> {
    let content = json!({"n": sender.sent});
    let to = to.iter().map(|device| (device.clone(), content.clone()));
    let to: serde_json::Map<String, Value> = to.collect();
    let body = json!({"messages": {"@alice:localhost": to}});
    let path = format!("/sendToDevice/org.example.n/{}", sender.sent);
    let answer = sender.user.try_request(Method::PUT, &path, body).await;
    answer.map(|answer| answer.status)
}
