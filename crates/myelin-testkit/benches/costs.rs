//! What single things cost: `cargo bench -p myelin-testkit`. Prints a table; each row is measured
//! in a process of its own, on the embedded database, with the other servers in the same
//! process, so that what they do is counted, too.
#![cfg(target_os = "linux")]
#![expect(clippy::print_stdout, reason = "it prints its table")]
#![expect(clippy::unwrap_used, reason = "a benchmark may fail by a panic")]

#[path = "costs/meter.rs"]
mod meter;

use std::{env, process::Command, sync::Arc};

use myelin_core::event::Event;
use myelin_rooms::Outcome;
use myelin_store::inbox;
use myelin_testkit::{
    Mode, Peer, PeerEvent, PeerHost, PeerRoom, TestServer, User, crowded_room, encode, fill_room,
    make_accounts, pdu, run, wait_until,
};
use ruma::OwnedUserId;
use serde_json::json;
use tokio::task::JoinSet;

use meter::{Meter, Row};

// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MEMBERS: usize = 10_000;
const FORK: usize = 100;
const TRANSACTIONS: usize = 200;
const PDUS: usize = 50;
const PEERS: usize = 50;
const MESSAGES: usize = 400;
const SENDERS: usize = 8;

/// A row of the table.
type Part = (&'static str, fn() -> Row);

const PARTS: [Part; 7] = [
    ("join", join_large_room),
    ("answer", answer_join),
    ("fork", resolve_fork),
    ("receive", receive_transactions),
    ("deliver", deliver),
    ("count-few", || {
        count_messages(10, "send and count messages, 10 local members")
    }),
    ("count-many", || {
        count_messages(5_000, "send and count messages, 5,000 local members")
    }),
];

fn main() {
    let wanted = env::args().nth(1).unwrap_or_default();
    if let Some((_, measure)) = PARTS.iter().find(|(name, _)| *name == wanted) {
        println!("{}", measure().line());
        return;
    }
    println!("{}", Row::head());
    for (name, _) in PARTS {
        let own = env::current_exe().unwrap();
        let output = Command::new(own).arg(name).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let row = text.lines().find(|line| line.starts_with('|'));
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        println!("{}", row.unwrap_or(&complaint));
    }
}

/// Runs one part on a server.
fn measured(part: &impl AsyncFn(&TestServer) -> Row) -> Row {
    let found = std::sync::Mutex::new(None);
    run(Mode::Sqlite, &async |server: &TestServer| {
        let row = part(server).await;
        *found.lock().unwrap() = Some(row);
    });
    found.into_inner().unwrap().unwrap()
}

fn join_large_room() -> Row {
    measured(&async |server: &TestServer| {
        let alice = server.user("alice").await;
        let peer = Peer::start(server.network(), "peer.example");
        let room = crowded_room(&peer, "12", MEMBERS);
        let path = format!("/join/{}?via=peer.example", encode(room.id.as_str()));
        let _host = PeerHost::frozen(room);
        let meter = Meter::start();
        alice.post(&path, json!({})).await.ok();
        meter.stop("join a room of 10,000 members", (1, "joins"))
    })
}

fn answer_join() -> Row {
    measured(&async |server: &TestServer| {
        let alice = server.user("alice").await;
        let room_id = alice.create_public_room().await;
        fill_room(server, &room_id, MEMBERS).await;
        let peer = Peer::start(server.network(), "peer.example");
        let room = PeerRoom::of(&peer, &alice, &room_id).await;
        let bob = room.user("bob");
        let join = room.make(PeerEvent {
            state_key: Some(bob.to_string()),
            ..PeerEvent::new(&bob, "m.room.member", json!({"membership": "join"}))
        });
        drop(room);
        let path = format!(
            "/_matrix/federation/v2/send_join/{}/{}",
            encode(&room_id),
            encode(join.event_id.as_str())
        );
        let meter = Meter::start();
        let told = peer
            .measure(server, http::Method::PUT, &path, Some(pdu(&join)))
            .await;
        assert_eq!(told.status, 200);
        meter.stop("answer such a join", (1, "joins"))
    })
}

/// Both sides set the same hundred names while they do not hear each other.
fn resolve_fork() -> Row {
    measured(&async |server: &TestServer| {
        let alice = server.user("alice").await;
        let room_id = alice.create_public_room().await;
        fill_room(server, &room_id, MEMBERS).await;
        let peer = Peer::start(server.network(), "peer.example");
        let mut theirs = PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
        let bob = theirs.user("bob");
        let levels = json!({"state_default": 0});
        alice
            .set_state(&room_id, "m.room.power_levels", "", levels)
            .await
            .ok();
        let refreshed = PeerRoom::of(&peer, &alice, &room_id).await;
        theirs.state = refreshed.state;
        theirs.extremities = refreshed.extremities;
        for n in 0..FORK {
            let content = json!({"side": "here"});
            alice
                .set_state(&room_id, "org.example.name", &n.to_string(), content)
                .await
                .ok();
        }
        let fork: Vec<Event> = (0..FORK)
            .map(|n| {
                let content = json!({"side": "there"});
                theirs.set(&bob, "org.example.name", &n.to_string(), content)
            })
            .collect();
        let meter = Meter::start();
        for event in fork {
            let outcome = server.rooms().receive_event(event).await.unwrap();
            assert_eq!(outcome, Outcome::Accepted);
        }
        meter.stop("resolve a fork of 100 events there", (FORK, "events"))
    })
}

fn receive_transactions() -> Row {
    measured(&async |server: &TestServer| {
        let (mut room, bob) = shared_room(server).await;
        let mut transactions = Vec::new();
        for slice in 0..TRANSACTIONS {
            let message = |n| room.message(&bob, &format!("message {slice} {n}"));
            let events: Vec<Event> = (0..PDUS).map(message).collect();
            transactions.push(events.iter().map(pdu).collect::<Vec<_>>());
        }
        let store = server.stores().remove(0);
        let meter = Meter::start();
        // So many that a server may have waiting in one room.
        for some in transactions.chunks(15) {
            for pdus in some {
                let sent = room.peer.transaction(server, pdus.clone(), Vec::new());
                sent.await.ok();
            }
            wait_until("everything is received", async || {
                inbox::next_due(&mut store.read()).await.unwrap().is_none()
            })
            .await;
        }
        meter.stop(
            "receive messages, 50 in a transaction",
            (TRANSACTIONS * PDUS, "events"),
        )
    })
}

async fn shared_room(server: &TestServer) -> (PeerRoom, OwnedUserId) {
    let alice = server.user("alice").await;
    let room_id = alice.create_public_room().await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
    let bob = room.user("bob");
    (room, bob)
}

fn deliver() -> Row {
    measured(&async |server: &TestServer| {
        let alice = server.user("alice").await;
        let room_id = alice.create_public_room().await;
        let mut peers = Vec::new();
        for n in 0..PEERS {
            let peer = Peer::start(server.network(), &format!("peer{n}.example"));
            PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
            peers.push(peer);
        }
        let before: Vec<usize> = peers.iter().map(|peer| peer.pdus().len()).collect();
        let meter = Meter::start();
        let mut senders = JoinSet::new();
        for _ in 0..SENDERS {
            senders.spawn(say(alice.clone(), room_id.clone()));
        }
        senders.join_all().await;
        for (peer, before) in peers.iter().zip(before) {
            delivered(peer, before + MESSAGES).await;
        }
        meter.stop(
            "deliver messages to 50 servers",
            (MESSAGES * PEERS, "deliveries"),
        )
    })
}

async fn say(user: User, room_id: String) {
    for n in 0..MESSAGES / SENDERS {
        user.send(&room_id, &format!("message {n}")).await;
    }
}

/// Until each message stands in the counts of unread messages of everybody in the room.
fn count_messages(members: usize, name: &'static str) -> Row {
    measured(&async |server: &TestServer| {
        let alice = server.user("alice").await;
        let room_id = alice.create_public_room().await;
        make_accounts(server, members - 1).await;
        fill_room(server, &room_id, members - 1).await;
        server.counted().await;
        let meter = Meter::start();
        let mut senders = JoinSet::new();
        for _ in 0..SENDERS {
            senders.spawn(say(alice.clone(), room_id.clone()));
        }
        senders.join_all().await;
        server.counted().await;
        meter.stop(name, (MESSAGES, "messages"))
    })
}

async fn delivered(peer: &Arc<Peer>, count: usize) {
    wait_until("everything is delivered", async || {
        peer.pdus().len() >= count
    })
    .await;
}
