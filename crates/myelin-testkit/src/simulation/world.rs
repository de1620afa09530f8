//! Several servers in one process, the people on them, and what befalls them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use ruma::OwnedServerName;
use tokio::{sync::Mutex as AsyncMutex, task::JoinSet, time::timeout};

use super::{agreement, holdings, in_simulated_time, let_pass, people::Person};
use crate::{Answer, Network, SeededChance, TestServer, Weather};

const SERVERS: usize = 5;
const PEOPLE_A_SERVER: usize = 2;
/// Until there are as many rooms, people make some: few, so that they meet.
const ROOMS_MIN: usize = 2;
/// What each of them does during the storm.
const ACTS: usize = 12;
/// The longest pause between two acts of one person.
const PAUSE_MS: usize = 20_000;
/// How long a person waits for an answer. What was asked for goes on, but the storm does not go on
/// until it is done.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often the weather changes during the storm.
const CHANGES: usize = 6;
/// How long the world may need to come to one mind once it is calm; each wait is longer than the
/// one before it, for servers ask those who did not answer ever more seldom.
const WAITS_MIN: [u64; 4] = [1, 5, 15, 70];

/// What a simulated world came to.
#[derive(Debug)]
pub struct Course {
    /// What was done, and what came of it; equal for equal seeds.
    pub story: Vec<String>,
    /// Requests that a server failed to answer, for no fault of the network's.
    pub failures: Vec<String>,
    /// What servers still hold differently.
    pub differences: Vec<String>,
}

/// Lets a world of five servers go through a storm, and finds out whether they agree afterwards.
pub fn simulate_federation(seed: u64) -> Course {
    in_simulated_time(async {
        let world = Arc::new(World::start(seed).await);
        world.storm().await;
        world.calm_down().await;
        let (mut differences, mut rooms) = (Vec::new(), Vec::new());
        for (round, minutes) in WAITS_MIN.into_iter().enumerate() {
            let_pass(Duration::from_mins(minutes)).await;
            world.everybody_speaks(round).await;
            let_pass(Duration::from_mins(1)).await;
            (differences, rooms) = agreement::differences(&world).await;
            if differences.is_empty() {
                break;
            }
        }
        for room in &rooms {
            let told = holdings::tell(&world, room).await;
            world.story.lock().extend(told);
        }
        world.end(differences).await
    })
}

fn name_of(server: usize) -> OwnedServerName {
    let name = format!("s{server}.example");
    name.try_into().expect("the name is valid")
}

pub(super) struct World {
    pub(super) servers: Vec<TestServer>,
    pub(super) people: Vec<Person>,
    pub(super) chance: Arc<SeededChance>,
    network: Arc<Network>,
    /// Each room, with the servers on which somebody has been in it.
    rooms: Mutex<BTreeMap<String, Vec<usize>>>,
    story: Mutex<Vec<String>>,
    failures: Mutex<Vec<String>>,
    /// Held by who ends and starts a server.
    ending: AsyncMutex<()>,
}

impl World {
    async fn start(seed: u64) -> Self {
        let chance = Arc::new(SeededChance::new(seed));
        let network = Arc::new(Network::default());
        network.set_weather(Weather::calm(chance.clone()));
        let (mut servers, mut people) = (Vec::new(), Vec::new());
        for number in 0..SERVERS {
            // The first server has two nodes over one store.
            let nodes = if number == 0 { 2 } else { 1 };
            let name = name_of(number);
            // A server whose keys nobody can be asked for is not believed, and then its part of a
            // room's state is missing where somebody joins: so each asks the others.
            let others = (0..SERVERS).filter(|other| *other != number).map(name_of);
            let seed = seed.wrapping_mul(1_000) + 10 * number as u64;
            let server = TestServer::start_simulated(
                &network,
                name.as_str(),
                (nodes, seed),
                others.collect(),
            );
            let server = server.await;
            // Nobody's clock is right.
            let skew_ms = chance.below(120_000) as u64;
            server.clock().set_ms(server.now_ms() - 60_000 + skew_ms);
            for person in 0..PEOPLE_A_SERVER {
                let user = server.user(&format!("p{person}")).await;
                people.push(Person {
                    user,
                    server: number,
                });
            }
            servers.push(server);
        }
        Self {
            servers,
            people,
            chance,
            network,
            rooms: Mutex::default(),
            story: Mutex::default(),
            failures: Mutex::default(),
            ending: AsyncMutex::default(),
        }
    }

    /// Everybody acts while the network is bad and servers die.
    async fn storm(self: &Arc<Self>) {
        let mut tasks = JoinSet::new();
        for person in 0..self.people.len() {
            tasks.spawn(self.clone().act(person));
        }
        let world = self.clone();
        tasks.spawn(async move {
            for _ in 0..CHANGES {
                let_pass(Duration::from_secs(world.chance.below(30) as u64)).await;
                world.change_weather();
                world.kill_one().await;
            }
        });
        tasks.join_all().await;
    }

    /// What one person does during the storm.
    async fn act(self: Arc<Self>, person: usize) {
        for number in 0..ACTS {
            let pause_ms = self.chance.below(PAUSE_MS) as u64;
            let_pass(Duration::from_millis(pause_ms)).await;
            let person = &self.people[person];
            let told = timeout(PATIENCE, person.act(&self, number)).await;
            let told = told.unwrap_or_else(|_| format!("{} gives up", person.user.id));
            self.story.lock().push(told);
        }
    }

    fn change_weather(&self) {
        let mut weather = Weather::calm(self.chance.clone());
        weather.latency_ms = 1 + self.chance.below(3_000);
        weather.lost_of_1000 = self.chance.below(150);
        if self.chance.below(2) == 0 {
            let part_of = |server: &TestServer| {
                let part = self.chance.below(2);
                (server.name().to_owned(), part)
            };
            weather.parts = self.servers.iter().map(part_of).collect();
        }
        self.story
            .lock()
            .push(format!("the weather: {:?}", weather.parts));
        self.network.set_weather(weather);
    }

    /// A server dies, and is started again after a while.
    async fn kill_one(&self) {
        let _ending = self.ending.lock().await;
        let server = &self.servers[self.chance.below(SERVERS)];
        self.story.lock().push(format!("{} dies", server.name()));
        server.kill().await;
        let_pass(Duration::from_secs(self.chance.below(20) as u64)).await;
        server.start_again().await;
    }

    async fn calm_down(&self) {
        let _ending = self.ending.lock().await;
        self.network.set_weather(Weather::calm(self.chance.clone()));
        self.story.lock().push("it is calm".to_owned());
    }

    /// Everybody makes an event in each room, so that nobody lacks the last word.
    async fn everybody_speaks(&self, round: usize) {
        for room in self.rooms() {
            for (person, speaker) in self.people.iter().enumerate() {
                let number = 1_000 + 10 * round + person;
                speaker.have_last_word(&room, number).await;
            }
        }
    }

    async fn end(self: Arc<Self>, differences: Vec<String>) -> Course {
        let Some(world) = Arc::into_inner(self) else {
            panic!("a task still holds the world");
        };
        for server in world.servers {
            server.stop().await;
        }
        Course {
            story: world.story.into_inner(),
            failures: world.failures.into_inner(),
            differences,
        }
    }

    /// Remembers a failure that is none of the network's.
    pub(super) fn note_failure(&self, who: &str, what: &str, answer: &Answer) {
        // 502, 503 and 504: another server did not answer, or this one is being stopped.
        if answer.status == 500 {
            let failure = format!("{who} {what}: {} {}", answer.status, answer.text);
            self.failures.lock().push(failure);
        }
    }

    /// Every room that was made.
    pub(super) fn rooms(&self) -> Vec<String> {
        self.rooms.lock().keys().cloned().collect()
    }

    /// A room at random; None while there are fewer than people want.
    pub(super) fn room(&self) -> Option<String> {
        let rooms = self.rooms.lock();
        let index = self.chance.below(rooms.len().max(ROOMS_MIN));
        rooms.keys().nth(index).cloned()
    }

    /// Remembers that somebody on that server is in the room.
    pub(super) fn add_room(&self, room: &str, server: usize) {
        let mut rooms = self.rooms.lock();
        let servers = rooms.entry(room.to_owned()).or_default();
        if !servers.contains(&server) {
            servers.push(server);
        }
    }

    /// The names of the servers on which somebody was in the room.
    pub(super) fn servers_of(&self, room: &str) -> Vec<String> {
        let rooms = self.rooms.lock();
        let servers = rooms.get(room).into_iter().flatten();
        servers
            .map(|server| self.servers[*server].name().to_owned())
            .collect()
    }

    /// Somebody at random.
    pub(super) fn person(&self) -> &Person {
        &self.people[self.chance.below(self.people.len())]
    }
}
