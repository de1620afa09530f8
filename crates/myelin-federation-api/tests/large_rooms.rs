//! Rooms of ten thousand members go from server to server in pieces: what that takes in memory is
//! bounded. Each test in a process of its own, for it looks at the memory of the whole process.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic")]

use std::{fs, sync::Arc};

use http::Method;
use myelin_testkit::{
    Measured, Mode, Peer, PeerEvent, PeerHost, PeerRoom, TestServer, User, crowded_room, encode,
    fill_room, pdu, run,
};
use serde_json::json;

const MEMBERS: usize = 10_000;
const MEGABYTE: usize = 1024 * 1024;
/// What a join may take (issue "federation: receive, send, resolve, survive", point 5).
const JOIN_BYTES_MAX: usize = 150 * MEGABYTE;
/// What an answer may take besides the numbers of its events.
const ANSWER_BYTES_MAX: usize = 48 * MEGABYTE;
/// The largest piece of an answer.
const PIECE_BYTES_MAX: usize = 2 * MEGABYTE;

#[test]
fn a_room_of_ten_thousand_is_joined_in_little_memory() {
    run(Mode::Sqlite, &async |server: &TestServer| {
        let alice = server.user("alice").await;
        let peer = Peer::start(server.network(), "peer.example");
        let room = crowded_room(&peer, "11", MEMBERS);
        let id = room.id.clone();
        let _large = PeerHost::frozen(room);
        // What any join needs is there before.
        let small = Peer::start(server.network(), "small.example");
        let room = PeerRoom::create(&small, "11", "mallory");
        let small_id = room.id.clone();
        let _small = PeerHost::frozen(room);
        let path = format!("/join/{}?via=small.example", encode(small_id.as_str()));
        alice.post(&path, json!({})).await.ok();

        let before = reset_peak();
        let path = format!("/join/{}?via=peer.example", encode(id.as_str()));
        alice.post(&path, json!({})).await.ok();
        let extra = peak().saturating_sub(before);
        let sync = alice.sync(None).await;
        let summary = &sync["rooms"]["join"][id.as_str()]["summary"];
        assert_eq!(summary["m.joined_member_count"], MEMBERS + 2);
        assert!(extra < JOIN_BYTES_MAX, "{} MB", extra / MEGABYTE);
    });
}

#[test]
fn a_room_of_ten_thousand_is_told_in_pieces() {
    run(Mode::Sqlite, &async |server: &TestServer| {
        let alice = server.user("alice").await;
        let room_id = alice.create_public_room().await;
        fill_room(server, &room_id, MEMBERS).await;
        let peer = Peer::start(server.network(), "peer.example");
        // What any answer needs is there before.
        let small = alice.create_public_room().await;
        let told = join(server, (&peer, &alice, &small)).await;
        assert_eq!(told.status, 200);

        let before = reset_peak();
        let told = join(server, (&peer, &alice, &room_id)).await;
        let extra = peak().saturating_sub(before);
        assert_eq!(told.status, 200);
        assert!(told.bytes > 5 * MEGABYTE, "{}", told.bytes);
        assert!(told.largest < PIECE_BYTES_MAX, "{}", told.largest);
        assert!(extra < ANSWER_BYTES_MAX, "{} MB", extra / MEGABYTE);
    });
}

/// A user of the peer joins the room of the server.
async fn join(server: &TestServer, (peer, member, room_id): (&Arc<Peer>, &User, &str)) -> Measured {
    // Of the room only what vouches for the join is needed, which is at its beginning.
    let make = format!(
        "/_matrix/federation/v1/make_join/{}/@bob:peer.example?ver=12",
        encode(room_id)
    );
    let template = peer.get(server, &make).await.ok()["event"].clone();
    let mut room = PeerRoom::of(peer, member, room_id).await;
    let ids = |key: &str| {
        let ids = template[key].as_array().unwrap().iter();
        ids.map(|id| id.as_str().unwrap().try_into().unwrap())
            .collect()
    };
    room.extremities = ids("prev_events");
    let bob = room.user("bob");
    let join = room.make(PeerEvent {
        state_key: Some(bob.to_string()),
        auth_events: Some(ids("auth_events")),
        ..PeerEvent::new(&bob, "m.room.member", json!({"membership": "join"}))
    });
    drop(room);
    let path = format!(
        "/_matrix/federation/v2/send_join/{}/{}",
        encode(room_id),
        encode(join.event_id.as_str())
    );
    peer.measure(server, Method::PUT, &path, Some(pdu(&join)))
        .await
}

/// Forgets how much memory this process had at most, and returns what it has.
fn reset_peak() -> usize {
    fs::write("/proc/self/clear_refs", "5").unwrap();
    status("VmRSS:")
}

/// What this process had at most since then.
fn peak() -> usize {
    status("VmHWM:")
}

fn status(key: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let kilobytes = line.unwrap().trim().strip_suffix(" kB").unwrap();
    kilobytes.trim().parse::<usize>().unwrap() * 1024
}
