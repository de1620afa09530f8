//! A server is killed while one of its users is on the way into a large room of another server.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use myelin_blackbox::{Relay, ServerOptions, ServerProcess, User, encode, until};
use rand::{RngExt, rngs::StdRng};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::authority::{Authority, Certificate};

/// What makes the room large.
const STATE_EVENTS: usize = 300;

/// A server of a federation, which outlives its process.
struct Member {
    name: String,
    options: ServerOptions,
    process: ServerProcess,
    peers: Relay,
    _folder: TempDir,
}

impl Member {
    fn start(authority: &Authority, last: u8, database_url: Option<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
        let peers = Relay::without_target(address).unwrap();
        let name = peers.address.to_string();
        let certificate = authority.sign(address, folder.path());
        let config = folder.path().join("myelin.toml");
        let text = configuration(&name, &certificate, &authority.certificate);
        fs::write(&config, text).unwrap();
        let mut options = ServerOptions::new(env!("CARGO_BIN_EXE_myelin"), folder.path());
        options.config = Some(config);
        options.database_url = database_url;
        let process = ServerProcess::start(&options).unwrap();
        peers.point_to(process.tls_address.unwrap());
        Self {
            name,
            options,
            process,
            peers,
            _folder: folder,
        }
    }

    fn start_again(&mut self) {
        self.process = ServerProcess::start(&self.options).unwrap();
        self.peers.point_to(self.process.tls_address.unwrap());
    }

    fn user(&self, name: &str) -> User {
        User::register(self.process.address, name).unwrap()
    }

    fn check_log(&self) {
        let log = self.process.log().unwrap();
        assert!(!log.contains("panicked"), "{log}");
        assert!(!log.contains(" ERROR "), "{log}");
    }
}

fn configuration(name: &str, certificate: &Certificate, authority: &Path) -> String {
    // The listener with TLS comes first, for the options set the port of that one, too.
    format!(
        "server_name = '{name}'\n[[listeners]]\nport = 0\ntls_cert = '{}'\ntls_key = '{}'\n\
         [[listeners]]\nport = 0\n[registration]\nopen = true\n\
         [federation]\nallow_private_addresses = true\nca_file = '{}'\n",
        certificate.chain.display(),
        certificate.key.display(),
        authority.display(),
    )
}

/// Lets users of the one server join rooms of the other; the blow falls at any moment of it.
pub(crate) fn kill_joining_servers(rounds: u32, database_url: Option<String>, chance: &mut StdRng) {
    let authority = Authority::new();
    let there = Member::start(&authority, 2, None);
    let mut here = Member::start(&authority, 3, database_url);
    let (mut alice, bob) = (there.user("alice"), here.user("bob"));
    let mut bob = bob.connected_to(here.process.address);
    // Nothing is killed yet: how long it takes.
    let room = create_large_room(&mut alice);
    let started = Instant::now();
    join(&mut bob, &room, &there.name).unwrap();
    let whole = started.elapsed();
    sees_all(&mut bob, &mut alice, &room);
    for round in 0..rounds {
        let room = create_large_room(&mut alice);
        let moment = whole.mul_f64(chance.random_range(0.0..1.1));
        let joining = bob.connected_to(here.process.address);
        let is_acknowledged = kill_while_joining(&mut here, joining, (&room, &there.name), moment);
        let killed = Instant::now();
        here.start_again();
        bob = bob.connected_to(here.process.address);
        let is_joined = is_joined(&mut bob, &room);
        println!(
            "round {round}: {moment:.1?}, acknowledged: {is_acknowledged}, joined: {is_joined}"
        );
        assert!(
            is_joined || !is_acknowledged,
            "an acknowledged join is lost"
        );
        if !is_joined {
            sees_nothing(&mut bob, &room);
            join(&mut bob, &room, &there.name).unwrap();
        }
        let joined = killed.elapsed();
        sees_all(&mut bob, &mut alice, &room);
        hear_each_other(&mut bob, &mut alice, &room);
        println!(
            "  joined {joined:.1?} after the kill, heard after {:.1?}",
            killed.elapsed()
        );
    }
    there.check_log();
    here.check_log();
}

/// Whether the join was acknowledged before the kill.
fn kill_while_joining(
    here: &mut Member,
    mut bob: User,
    (room, via): (&str, &str),
    moment: Duration,
) -> bool {
    thread::scope(|scope| {
        let joining = scope.spawn(move || join(&mut bob, room, via));
        thread::park_timeout(moment);
        here.process.kill().unwrap();
        joining.join().unwrap().is_ok()
    })
}

fn create_large_room(alice: &mut User) -> String {
    let room = alice.create_room().unwrap();
    for n in 0..STATE_EVENTS {
        let path = of_room(&room, &format!("state/org.example.entry/{n}"));
        let set = alice.put(&path, &json!({"n": n})).unwrap();
        set.expect_ok("a state event");
    }
    room
}

fn join(bob: &mut User, room: &str, via: &str) -> Result<(), String> {
    let path = format!(
        "/_matrix/client/v3/join/{}?via={}",
        encode(room),
        encode(via)
    );
    let answer = bob
        .post(&path, &json!({}))
        .map_err(|error| error.to_string())?;
    if answer.status == 200 {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&answer.body).into_owned())
    }
}

fn is_joined(bob: &mut User, room: &str) -> bool {
    let rooms = get(bob, "/_matrix/client/v3/joined_rooms");
    rooms["joined_rooms"]
        .as_array()
        .unwrap()
        .contains(&json!(room))
}

fn get(user: &mut User, path: &str) -> Value {
    user.get(path).unwrap().expect_ok(path)
}

fn of_room(room: &str, what: &str) -> String {
    format!("/_matrix/client/v3/rooms/{}/{what}", encode(room))
}

/// No part of a room is shown to who is not in it.
fn sees_nothing(bob: &mut User, room: &str) {
    for what in ["state", "members", "joined_members", "messages?dir=b"] {
        let answer = bob.get(&of_room(room, what)).unwrap();
        assert!(matches!(answer.status, 403 | 404), "{what}: {answer:?}");
    }
    let sync = get(bob, "/_matrix/client/v3/sync");
    for section in ["join", "leave", "invite", "knock"] {
        assert!(sync["rooms"][section].get(room).is_none(), "{section}");
    }
}

/// The state here is the state there.
fn sees_all(bob: &mut User, alice: &mut User, room: &str) {
    let ids = |user: &mut User| {
        let state = get(user, &of_room(room, "state"));
        let ids = state.as_array().unwrap().iter();
        let mut ids: Vec<String> = ids.map(|event| event["event_id"].to_string()).collect();
        ids.sort();
        ids
    };
    let (seen, told) = (ids(bob), ids(alice));
    assert!(seen.len() > STATE_EVENTS);
    assert_eq!(seen, told);
}

/// What each says comes to the other, once.
fn hear_each_other(bob: &mut User, alice: &mut User, room: &str) {
    is_heard(alice, bob, room);
    is_heard(bob, alice, room);
}

fn is_heard(speaker: &mut User, hearer: &mut User, room: &str) {
    let text = format!("{} speaks", speaker.user_id);
    let sent = speaker.send(room, "1", &text).unwrap();
    sent.expect_ok("a message");
    let mut heard = || {
        let history = get(hearer, &of_room(room, "messages?dir=b&limit=50"));
        let events = history["chunk"].as_array().unwrap().iter();
        events
            .filter(|event| event["content"]["body"] == text.as_str())
            .count()
    };
    until(&text, || match heard() {
        0 => Err("nothing".to_owned()),
        _ => Ok(()),
    });
    assert_eq!(heard(), 1);
}
