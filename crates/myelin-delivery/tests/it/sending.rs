//! What is sent, and to whom.

use myelin_testkit::{Peer, PeerRoom, TestServer, encode, three_modes, wait_until};
use serde_json::json;

use crate::support::{answer, arrives, bodies, member_arrives, shared_room};

three_modes! {
    a_message_reaches_the_server_of_a_member,
    events_arrive_in_their_order,
    nobody_else_is_told,
    a_ban_reaches_the_server_whose_last_user_it_removes,
    a_taken_back_invitation_reaches_its_server,
    one_that_comes_later_is_told_what_follows,
    cve_2023_32323_an_oversized_event_never_blocks_the_queue,
}

async fn a_message_reaches_the_server_of_a_member(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = shared_room(server, (&alice, &peer)).await;
    alice.send(room.id.as_str(), "hello").await;
    arrives(&peer, "hello").await;
    let pdu = peer.pdus().pop().unwrap();
    assert_eq!(pdu["room_id"], room.id.as_str());
    assert_eq!(pdu["sender"], alice.id.as_str());
    assert!(pdu["signatures"]["localhost"].is_object());
    assert!(pdu.get("unsigned").is_none());
    let transaction = peer.transactions().pop().unwrap();
    assert_eq!(transaction.body["origin"], "localhost");
    assert_eq!(transaction.body["origin_server_ts"], server.now_ms());
}

async fn events_arrive_in_their_order(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = shared_room(server, (&alice, &peer)).await;
    let sent: Vec<String> = (0..120).map(|n| format!("message {n}")).collect();
    for body in &sent {
        alice.send(room.id.as_str(), body).await;
    }
    arrives(&peer, "message 119").await;
    assert_eq!(bodies(&peer), sent);
    let transactions = peer.transactions();
    for transaction in &transactions {
        assert!(transaction.body["pdus"].as_array().unwrap().len() <= 50);
    }
    let mut ids: Vec<_> = transactions.iter().map(|found| &found.path).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), transactions.len());
}

async fn nobody_else_is_told(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let other = Peer::start(server.network(), "other.example");
    let room = shared_room(server, (&alice, &peer)).await;
    let others = shared_room(server, (&alice, &other)).await;
    let mut both = shared_room(server, (&alice, &peer)).await;
    // What comes from another server is not sent on.
    let bob = both.user("bob");
    let theirs = both.message(&bob, "theirs");
    both.receive(server, &theirs).await;
    alice.send(others.id.as_str(), "for the other").await;
    alice.send(room.id.as_str(), "for the one").await;
    arrives(&peer, "for the one").await;
    arrives(&other, "for the other").await;
    assert_eq!(bodies(&peer), ["for the one"]);
    assert_eq!(bodies(&other), ["for the other"]);
}

async fn a_ban_reaches_the_server_whose_last_user_it_removes(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let witness = Peer::start(server.network(), "witness.example");
    let room = shared_room(server, (&alice, &peer)).await;
    let other = PeerRoom::joined(&witness, server, (&alice, room.id.as_str()), "carol").await;
    let bob = room.user("bob");
    let path = format!("/rooms/{}/ban", encode(room.id.as_str()));
    alice.post(&path, json!({"user_id": bob})).await.ok();
    alice.send(room.id.as_str(), "he is gone").await;
    arrives(&witness, "he is gone").await;
    member_arrives(&witness, bob.as_str(), "ban").await;
    member_arrives(&peer, bob.as_str(), "ban").await;
    let path = format!("/rooms/{}/kick", encode(room.id.as_str()));
    let carol = other.user("carol");
    alice.post(&path, json!({"user_id": carol})).await.ok();
    member_arrives(&witness, carol.as_str(), "leave").await;
    assert!(bodies(&peer).is_empty());
}

async fn a_taken_back_invitation_reaches_its_server(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let stranger = Peer::start(server.network(), "stranger.example");
    let room_id = alice
        .create_room_with(json!({
            "preset": "public_chat",
            "power_level_content_override": {"invite": 0},
        }))
        .await;
    let mut room = PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
    let bob = room.user("bob");
    let carol = "@carol:invited.example";
    let invited = Peer::start(server.network(), "invited.example");
    let invite = room.set(
        &bob,
        "m.room.member",
        carol,
        json!({"membership": "invite"}),
    );
    room.receive(server, &invite).await;
    let path = format!("/rooms/{}", encode(room.id.as_str()));
    for user in [carol, "@dan:stranger.example"] {
        let body = json!({"user_id": user});
        alice.post(&format!("{path}/ban"), body).await.ok();
    }
    member_arrives(&invited, carol, "ban").await;
    member_arrives(&peer, "@dan:stranger.example", "ban").await;
    alice.send(room.id.as_str(), "on we go").await;
    arrives(&peer, "on we go").await;
    // Who never had to do with the room is not told of it.
    assert!(stranger.transactions().is_empty());
    assert!(bodies(&invited).is_empty());
}

async fn one_that_comes_later_is_told_what_follows(server: &TestServer) {
    let alice = server.user("alice").await;
    let room_id = alice.create_public_room().await;
    alice.send(&room_id, "among ourselves").await;
    let peer = Peer::start(server.network(), "peer.example");
    let first = PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
    alice.send(&room_id, "one").await;
    arrives(&peer, "one").await;
    let later = Peer::start(server.network(), "later.example");
    PeerRoom::joined(&later, server, (&alice, first.id.as_str()), "carol").await;
    alice.send(&room_id, "two").await;
    arrives(&later, "two").await;
    arrives(&peer, "two").await;
    assert_eq!(bodies(&later), ["two"]);
    assert_eq!(bodies(&peer), ["one", "two"]);
}

async fn cve_2023_32323_an_oversized_event_never_blocks_the_queue(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = shared_room(server, (&alice, &peer)).await;
    // The peer finds everything too large that has to do with one event.
    let path = "/_matrix/federation/v1/send/";
    peer.answer(http::Method::PUT, path, |request| {
        let body = String::from_utf8_lossy(request.body()).into_owned();
        if body.contains("too large for you") {
            let error = json!({"errcode": "M_TOO_LARGE", "error": "too large"});
            return (413, error);
        }
        (200, json!({"pdus": {}}))
    });
    for n in 0..5 {
        alice.send(room.id.as_str(), &format!("before {n}")).await;
    }
    alice.send(room.id.as_str(), "too large for you").await;
    for n in 0..5 {
        alice.send(room.id.as_str(), &format!("after {n}")).await;
    }
    arrives(&peer, "after 4").await;
    let expected = ["before", "after"]
        .iter()
        .flat_map(|when| (0..5).map(move |n| format!("{when} {n}")));
    assert_eq!(bodies(&peer), expected.collect::<Vec<_>>());
    // What was given up is not tried again.
    answer(&peer, 200, json!({"pdus": {}}));
    alice.send(room.id.as_str(), "at last").await;
    arrives(&peer, "at last").await;
    assert!(!bodies(&peer).iter().any(|body| body == "too large for you"));
    wait_until("nothing is left behind", async || {
        let store = &server.stores()[0];
        let rows = myelin_store::destinations::list(&mut store.read()).await;
        rows.unwrap().is_empty()
    })
    .await;
}
