//! The rounds: clients send, the blow falls, the server comes back, the verdict.

use std::{
    thread,
    time::{Duration, Instant},
};

use myelin_blackbox::{ServerOptions, ServerProcess, User};
use myelin_testdb::Cluster;
use rand::{RngExt, rngs::StdRng};

use crate::{
    load::{Load, Sent},
    observer::Observer,
    reading::{Item, walk_forward},
};

const CLIENTS: usize = 16;
/// How many messages are acknowledged before the blow, at most.
const BEFORE_MAX: usize = 150;
/// Of how many clients the messages must go through after the database has come back.
const AFTER: usize = 4 * CLIENTS;
/// Acknowledgements come in swarms, after a flush; the blow may fall anywhere between two.
const JITTER_US: u64 = 8_000;

/// What happens to whom.
#[derive(Clone, Copy)]
pub(crate) enum Blow<'a> {
    Server,
    Database(&'a Cluster),
    ServerThenDatabase(&'a Cluster),
    DatabaseThenServer(&'a Cluster),
}

impl Blow<'_> {
    fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Database(_) => "database",
            Self::ServerThenDatabase(_) => "server, then database",
            Self::DatabaseThenServer(_) => "database, then server",
        }
    }
}

/// A server with its users and rooms, and all that is known of them.
pub(crate) struct Experiment {
    options: ServerOptions,
    server: ServerProcess,
    /// The clients, and behind them the one that observes.
    pub(crate) users: Vec<User>,
    pub(crate) rooms: Vec<String>,
    pub(crate) observer: Observer,
    /// The events of each room, as `/messages` gives them.
    pub(crate) known: Vec<Vec<Item>>,
}

impl Experiment {
    pub(crate) fn start(options: ServerOptions) -> Self {
        let server = ServerProcess::start(&options).unwrap();
        let register = |index| User::register(server.address, &format!("user{index}")).unwrap();
        let mut users: Vec<User> = (0..=CLIENTS).map(register).collect();
        let rooms: Vec<String> = (0..2).map(|_| users[0].create_room().unwrap()).collect();
        for user in &mut users[1..] {
            for room in &rooms {
                user.join(room).unwrap();
            }
        }
        let mut observer = Observer::new(users[CLIENTS].connected_to(server.address), &rooms);
        observer.catch_up().unwrap();
        let known = observer.seen.clone();
        Self {
            options,
            server,
            users,
            rooms,
            observer,
            known,
        }
    }

    pub(crate) fn round(&mut self, round: u32, blow: Blow<'_>, chance: &mut StdRng) {
        let started = Instant::now();
        let moment = Moment {
            acknowledged: chance.random_range(0..BEFORE_MAX),
            jitter: Duration::from_micros(chance.random_range(0..JITTER_US)),
        };
        println!("round {round}: {}, {moment:?}", blow.name());
        let sent = self.load(round, blow, &moment);
        let struck = started.elapsed();
        self.come_back(blow);
        let restarted = started.elapsed();
        let open = sent.iter().filter(|sent| sent.event_id.is_none()).count();
        println!("  {} sent, {open} of them unanswered", sent.len());
        self.judge(sent, chance);
        println!(
            "  load until {struck:.1?}, back after {restarted:.1?}, judged after {:.1?}",
            started.elapsed()
        );
    }

    /// The last look: everything from the first event on, in both directions, and a clean end.
    pub(crate) fn finish(mut self) {
        self.judge_all();
        let user = &mut self.users[0];
        for (room_id, known) in self.rooms.iter().zip(&self.known) {
            assert_eq!(&walk_forward(user, room_id).unwrap(), known, "{room_id}");
        }
        let log = self.server.log().unwrap();
        assert!(!log.contains("panicked"), "{log}");
        // With a database that is never stopped there is nothing to complain of.
        let may_complain = self.options.database_url.is_some();
        assert!(may_complain || !log.contains("ERROR"), "{log}");
        let status = self.server.stop().unwrap();
        assert!(status.success(), "{status}");
        let messages: usize = self.known.iter().map(Vec::len).sum();
        println!("{messages} events");
    }

    fn load(&mut self, round: u32, blow: Blow<'_>, moment: &Moment) -> Vec<Sent> {
        let load = &Load::default();
        let (users, rooms) = (&mut self.users, &self.rooms);
        let (server, observer) = (&mut self.server, &mut self.observer);
        thread::scope(|scope| {
            let end = load.end_when_dropped();
            scope.spawn(move || load.observe(observer));
            let (clients, extra) = users.split_at_mut(CLIENTS);
            let client = |(index, user)| scope.spawn(move || load.send(user, index, round, rooms));
            let clients: Vec<_> = clients.iter_mut().enumerate().map(client).collect();
            load.wait_for_more(moment.acknowledged);
            thread::park_timeout(moment.jitter);
            let mut sent = strike(blow, server, load, || probe(&mut extra[0], round, rooms));
            drop(end);
            for client in clients {
                sent.extend(client.join().expect("a client has failed"));
            }
            sent
        })
    }

    fn come_back(&mut self, blow: Blow<'_>) {
        match blow {
            Blow::Database(_) => return,
            Blow::Server => {}
            Blow::ServerThenDatabase(cluster) | Blow::DatabaseThenServer(cluster) => {
                cluster.start();
            }
        }
        self.server = ServerProcess::start(&self.options).unwrap();
        let address = self.server.address;
        for user in self.users.iter_mut().chain([&mut self.observer.user]) {
            *user = user.connected_to(address);
        }
    }

    /// A user on a connection of its own.
    pub(crate) fn visitor(&self) -> User {
        self.users[CLIENTS].connected_to(self.server.address)
    }
}

/// When the blow falls.
#[derive(Debug)]
struct Moment {
    acknowledged: usize,
    jitter: Duration,
}

/// Returns the messages that were sent in the meantime.
fn strike(
    blow: Blow<'_>,
    server: &mut ServerProcess,
    load: &Load,
    probe: impl FnOnce() -> Sent,
) -> Vec<Sent> {
    if !matches!(blow, Blow::Database(_)) {
        load.doom();
    }
    match blow {
        Blow::Server => server.kill().unwrap(),
        Blow::ServerThenDatabase(cluster) => {
            server.kill().unwrap();
            cluster.stop_immediately();
        }
        Blow::DatabaseThenServer(cluster) => {
            cluster.stop_immediately();
            server.kill().unwrap();
        }
        Blow::Database(cluster) => {
            cluster.stop_immediately();
            let sent = probe();
            cluster.start();
            load.database_is_back();
            load.wait_for_more(AFTER);
            return vec![sent];
        }
    }
    Vec::new()
}

/// While the database is gone, a client is told so.
fn probe(user: &mut User, round: u32, rooms: &[String]) -> Sent {
    let text = format!("{round} {CLIENTS} 0");
    let txn_id = text.replace(' ', "-");
    let answer = user.send(&rooms[0], &txn_id, &text).unwrap();
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.retry_after.is_some(), "503 without Retry-After");
    assert!(answer.json()["errcode"].is_string(), "{answer:?}");
    Sent {
        user: CLIENTS,
        room: 0,
        txn_id,
        text,
        event_id: None,
    }
}
