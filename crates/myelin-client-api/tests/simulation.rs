//! One seed gives one log, twice: a random workload on a simulated server.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic")]

use std::{sync::Arc, time::Duration};

use myelin_store::log;
use myelin_testkit::{SeededChance, TestServer, User, encode, let_pass, simulate};
use serde_json::json;
use tokio::task::JoinSet;

const USERS: usize = 4;
const ACTIONS: usize = 30;

/// Everything that the server's outside can see of a run: each answer in order, then the log.
fn run(seed: u64) -> Vec<String> {
    simulate(seed, async |server| {
        let chance = Arc::new(SeededChance::new(seed));
        let mut users = Vec::new();
        for number in 0..USERS {
            users.push(server.user(&format!("user{number}")).await);
        }
        let room = users[0].create_public_room().await;
        let mut tasks = JoinSet::new();
        for user in users.clone() {
            tasks.spawn(act(user, users.clone(), room.clone(), chance.clone()));
        }
        let mut seen = tasks.join_all().await.concat();
        seen.extend(whole_log(server).await);
        seen
    })
}

/// What one user does: a random thing after a random time, thirty times.
async fn act(
    user: User,
    others: Vec<User>,
    room: String,
    chance: Arc<SeededChance>,
) -> Vec<String> {
    let mut seen = Vec::new();
    let mut rooms = vec![room];
    let mut since = None;
    for number in 0..ACTIONS {
        let pause_ms = chance.below(5) as u64;
        let_pass(Duration::from_millis(pause_ms)).await;
        let room = rooms[chance.below(rooms.len())].clone();
        let other = &others[chance.below(others.len())];
        let answer = match chance.below(10) {
            0 => {
                let answer = user
                    .post("/createRoom", json!({"preset": "public_chat"}))
                    .await;
                rooms.push(answer.body["room_id"].as_str().unwrap().to_owned());
                answer
            }
            1 => user.invite(&room, other).await,
            2 | 3 => user.join(&room).await,
            4 => user.leave(&room).await,
            5 => {
                user.set_state(&room, "m.room.topic", "", json!({"topic": number}))
                    .await
            }
            6 => {
                let since = since
                    .as_deref()
                    .map_or_else(String::new, |since| format!("&since={}", encode(since)));
                user.get(&format!("/sync?timeout=3{since}")).await
            }
            _ => {
                let content = json!({"msgtype": "m.text", "body": number.to_string()});
                user.send_event(&room, "m.room.message", &number.to_string(), content)
                    .await
            }
        };
        if let Some(token) = answer.body["next_batch"].as_str() {
            since = Some(token.to_owned());
        }
        seen.push(format!(
            "{} {number}: {} {}",
            user.id, answer.status, answer.text
        ));
    }
    seen
}

async fn whole_log(server: &TestServer) -> Vec<String> {
    let store = server.stores().remove(0);
    let position = log::position(&mut store.read()).await.unwrap();
    let entries = log::list(&mut store.read(), 0, position, 100_000)
        .await
        .unwrap();
    assert!(
        entries.len() > USERS * ACTIONS / 4,
        "a workload that does next to nothing"
    );
    entries.iter().map(|entry| format!("{entry:?}")).collect()
}

#[test]
fn one_seed_gives_one_log_twice() {
    for seed in [1, 2, 3] {
        let (first, second) = (run(seed), run(seed));
        for (first, second) in first.iter().zip(&second) {
            assert_eq!(first, second, "seed {seed}");
        }
        assert_eq!(first.len(), second.len());
    }
}

#[test]
fn another_seed_gives_another_log() {
    assert_ne!(run(4), run(5));
}
