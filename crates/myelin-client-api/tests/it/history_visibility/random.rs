//! Random histories: users come and go, the visibility changes, and at the end every read shows
//! exactly what a literal reading of the specification allows. A failure names the seed.

mod model;
mod reads;

use myelin_store::events;
use myelin_testkit::{Answer, TestServer, User, encode, random_histories};
use ruma::RoomId;
use serde_json::{Value, json};

use self::model::{Event, History};
use crate::chance::Chance;

random_histories!(case: 0..12, 100..102, 200..202);

/// Things that happen in one history.
const STEPS: usize = 40;

/// A room in which things happen.
struct Story<'a> {
    server: &'a TestServer,
    seed: u64,
    chance: Chance,
    /// The room's creator, who never leaves and may do everything.
    alice: &'a User,
    users: &'a [User],
    room: String,
    /// For each user, the numbers of events after which the room was forgotten.
    forgotten: Vec<Vec<usize>>,
    /// For each user, the token of the last sync.
    synced: Vec<Option<String>>,
}

async fn case(server: &TestServer, seeds: std::ops::Range<u64>) {
    let alice = server.user("alice").await;
    let mut users = Vec::new();
    for name in ["bob", "carol"] {
        users.push(server.user(name).await);
    }
    for seed in seeds {
        let mut story = Story {
            server,
            seed,
            chance: Chance(seed),
            alice: &alice,
            users: &users,
            room: alice.create_public_room().await,
            forgotten: vec![Vec::new(); users.len()],
            synced: vec![None; users.len()],
        };
        for _ in 0..STEPS {
            story.step().await;
        }
        story.check().await;
    }
}

impl Story<'_> {
    /// Something happens, or is refused, which is as good.
    async fn step(&mut self) {
        let who = self.chance.below(self.users.len());
        let user = &self.users[who];
        let (alice, room) = (self.alice, self.room.clone());
        match self.chance.below(20) {
            0..3 => {
                let values = ["world_readable", "shared", "invited", "joined", "odd"];
                let value = values[self.chance.below(values.len())];
                let content = json!({"history_visibility": value});
                self.set("m.room.history_visibility", content).await;
            }
            3 => {
                let rule = ["public", "knock", "invite"][self.chance.below(3)];
                self.set("m.room.join_rules", json!({"join_rule": rule}))
                    .await;
            }
            4 => self.set("m.room.topic", json!({"topic": "x"})).await,
            5..8 => drop(user.join(&room).await),
            8..12 => drop(alice.invite(&room, user).await),
            12..14 => drop(user.leave(&room).await),
            14 => self.moderate("kick", user).await,
            15 => {
                let act = ["ban", "unban", "unban"][self.chance.below(3)];
                self.moderate(act, user).await;
            }
            16 => {
                let path = format!("/knock/{}", encode(&room));
                drop(user.post(&path, json!({})).await);
            }
            17 => self.forget(who).await,
            18 => self.sync(who).await,
            _ => {
                let content = json!({"membership": "join", "displayname": "x"});
                let kind = "m.room.member";
                drop(user.set_state(&room, kind, &user.id, content).await);
            }
        }
        alice.send(&room, "something").await;
    }

    async fn set(&self, kind: &str, content: Value) {
        let answer = self.alice.set_state(&self.room, kind, "", content).await;
        answer.ok();
    }

    async fn moderate(&self, act: &str, user: &User) {
        let path = format!("/rooms/{}/{act}", encode(&self.room));
        let body = json!({"user_id": user.id});
        drop(self.alice.post(&path, body).await);
    }

    async fn forget(&mut self, who: usize) {
        let count = self.events().await.len();
        let path = format!("/rooms/{}/forget", encode(&self.room));
        let answer: Answer = self.users[who].post(&path, json!({})).await;
        if answer.status == 200 {
            self.forgotten[who].push(count);
        }
    }

    /// Whatever a sync brings must be visible at that moment.
    async fn sync(&mut self, who: usize) {
        let user = &self.users[who];
        let answer = user.sync(self.synced[who].as_deref()).await;
        let events = self.events().await;
        self.history(&events, who).check_sync(&answer, self);
        self.synced[who] = answer["next_batch"].as_str().map(str::to_owned);
    }

    /// All events of the room, from below the door.
    async fn events(&self) -> Vec<Event> {
        let rooms = self.server.rooms();
        let room_id = RoomId::parse(&self.room).unwrap();
        let number = rooms.find_number(&room_id).await.unwrap().unwrap();
        let mut read = rooms.store().read();
        let stored = events::list_from(&mut read, number, i64::MIN, 10_000).await;
        let parse = |stored: events::StoredEvent| Event {
            id: stored.id,
            json: serde_json::from_str(&stored.json).unwrap(),
        };
        stored.unwrap().into_iter().map(parse).collect()
    }

    fn history<'a>(&'a self, events: &'a [Event], who: usize) -> History<'a> {
        History {
            events,
            user: &self.users[who].id,
            forgotten: &self.forgotten[who],
        }
    }
}
