//! What becomes of an event of another server once it is verified.

use myelin_rooms::{Outcome, ReceiveError};
use myelin_testkit::{Peer, PeerEvent, PeerRoom, TestServer, three_modes};
use serde_json::{Value, json};

three_modes!(
    an_event_enters_the_room,
    an_event_is_taken_once,
    what_the_auth_events_refuse_is_rejected,
    what_the_state_before_refuses_is_rejected,
    events_before_it_must_be_known,
    auth_events_must_be_known,
    auth_events_of_another_room_are_refused,
    redactions_take_effect_in_either_order,
    the_create_event_is_not_redacted,
    a_huge_depth_blocks_nobody,
    both_sides_of_a_fork_are_in_the_room,
    a_room_has_few_ends
);

fn bodies(timeline: &Value) -> Vec<&str> {
    let events = timeline.as_array().expect("a list of events");
    let body = |event: &'_ Value| event["content"]["body"].is_string();
    let with_body = events.iter().filter(|event| body(event));
    with_body
        .map(|event| event["content"]["body"].as_str().expect("a text"))
        .collect()
}

async fn an_event_enters_the_room(server: &TestServer) {
    let alice = server.user("alice").await;
    let room_id = alice.create_public_room().await;
    let peer = Peer::start(server.network(), "peer.example");
    let mut room = PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
    let since = alice.sync(None).await["next_batch"].clone();
    let bob = room.user("bob");
    let event = room.message(&bob, "hello");
    room.receive(server, &event).await;

    let news = alice.sync(since.as_str()).await;
    let timeline = &news["rooms"]["join"][&room_id]["timeline"]["events"];
    assert_eq!(bodies(timeline), ["hello"]);
    assert_eq!(timeline[0]["event_id"], event.event_id.as_str());
    assert_eq!(timeline[0]["sender"], bob.as_str());
    let members = alice
        .get(&format!(
            "/rooms/{}/joined_members",
            myelin_testkit::encode(&room_id)
        ))
        .await
        .ok();
    assert!(members["joined"][bob.as_str()].is_object(), "{members}");

    // What is sent here comes after it.
    let own = alice.send(&room_id, "hi").await;
    let history = alice.messages(&room_id, "dir=b&limit=2").await.ok();
    assert_eq!(bodies(&history["chunk"]), ["hi", "hello"]);
    assert_eq!(history["chunk"][0]["event_id"], own);
}

async fn an_event_is_taken_once(server: &TestServer) {
    let alice = server.user("alice").await;
    let room_id = alice.create_public_room().await;
    let peer = Peer::start(server.network(), "peer.example");
    let mut room = PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
    let event = room.message(&room.user("bob"), "hello");
    for _ in 0..3 {
        room.receive(server, &event).await;
    }
    let history = alice.messages(&room_id, "dir=b&limit=9").await.ok();
    assert_eq!(bodies(&history["chunk"]), ["hello"]);
}

async fn what_the_auth_events_refuse_is_rejected(server: &TestServer) {
    let alice = server.user("alice").await;
    let room_id = alice.create_public_room().await;
    let peer = Peer::start(server.network(), "peer.example");
    let mut room = PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
    let bob = room.user("bob");
    // Bob has not the power to set the name.
    let bad = room.set(&bob, "m.room.name", "", json!({"name": "Mine"}));
    for _ in 0..2 {
        let outcome = server.rooms().receive_event(bad.clone()).await;
        assert!(
            matches!(outcome, Ok(Outcome::Rejected { .. })),
            "{outcome:?}"
        );
    }
    alice
        .state(&room_id, "m.room.name", "")
        .await
        .refused(404, "M_NOT_FOUND");

    // An event that comes after it is taken, and does not see what was rejected.
    let event = room.message(&bob, "hello");
    room.receive(server, &event).await;
    alice
        .state(&room_id, "m.room.name", "")
        .await
        .refused(404, "M_NOT_FOUND");
    let path = format!(
        "/rooms/{}/event/{}",
        myelin_testkit::encode(&room_id),
        myelin_testkit::encode(bad.event_id.as_str())
    );
    alice.get(&path).await.refused(404, "M_NOT_FOUND");
}

async fn what_the_state_before_refuses_is_rejected(server: &TestServer) {
    let alice = server.user("alice").await;
    let room_id = alice.create_public_room().await;
    let peer = Peer::start(server.network(), "peer.example");
    let mut room = PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
    let bob = room.user("bob");
    let joined = room.state[&("m.room.member".to_owned(), bob.to_string())].clone();
    let leave = room.set(
        &bob,
        "m.room.member",
        bob.as_str(),
        json!({"membership": "leave"}),
    );
    room.receive(server, &leave).await;
    // By the join that it refers to Bob may speak; by the state before it, no more.
    let mut auth_events: Vec<_> = room.make(PeerEvent::text(&bob, "")).auth_events;
    auth_events.retain(|id| *id != leave.event_id);
    auth_events.push(joined);
    let late = room.append(PeerEvent {
        auth_events: Some(auth_events),
        ..PeerEvent::text(&bob, "still here")
    });
    let outcome = server.rooms().receive_event(late).await;
    assert!(
        matches!(outcome, Ok(Outcome::Rejected { .. })),
        "{outcome:?}"
    );
    let history = alice.messages(&room_id, "dir=b&limit=9").await.ok();
    assert_eq!(bodies(&history["chunk"]), [""; 0]);
}

async fn events_before_it_must_be_known(server: &TestServer) {
    let alice = server.user("alice").await;
    let room_id = alice.create_public_room().await;
    let peer = Peer::start(server.network(), "peer.example");
    let mut room = PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
    let bob = room.user("bob");
    let first = room.message(&bob, "one");
    let second = room.message(&bob, "two");
    let missing = server.rooms().receive_event(second.clone()).await;
    assert!(
        matches!(&missing, Err(ReceiveError::MissingPrev(ids)) if *ids == [first.event_id.clone()]),
        "{missing:?}"
    );
    room.receive(server, &first).await;
    room.receive(server, &second).await;
    let history = alice.messages(&room_id, "dir=b&limit=9").await.ok();
    assert_eq!(bodies(&history["chunk"]), ["two", "one"]);
}

async fn auth_events_must_be_known(server: &TestServer) {
    let alice = server.user("alice").await;
    let room_id = alice.create_public_room().await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
    let bob = room.user("bob");
    let unknown = room.make(PeerEvent::text(&bob, "never sent")).event_id;
    let event = room.make(PeerEvent {
        auth_events: Some(vec![unknown.clone()]),
        ..PeerEvent::text(&bob, "hello")
    });
    let missing = server.rooms().receive_event(event).await;
    assert!(
        matches!(&missing, Err(ReceiveError::MissingAuth(ids)) if *ids == [unknown]),
        "{missing:?}"
    );
}

/// Synapse 1.6 to 1.7.1 took them.
async fn auth_events_of_another_room_are_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    let (room_id, other_id) = (
        alice.create_public_room().await,
        alice.create_public_room().await,
    );
    let peer = Peer::start(server.network(), "peer.example");
    let room = PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
    let other = PeerRoom::joined(&peer, server, (&alice, &other_id), "bob").await;
    let bob = room.user("bob");
    let key = ("m.room.member".to_owned(), bob.to_string());
    let mut auth_events = room.make(PeerEvent::text(&bob, "")).auth_events;
    auth_events.retain(|id| *id != room.state[&key]);
    auth_events.push(other.state[&key].clone());
    let event = room.make(PeerEvent {
        auth_events: Some(auth_events),
        ..PeerEvent::text(&bob, "hello")
    });
    let outcome = server.rooms().receive_event(event).await;
    assert!(
        matches!(outcome, Ok(Outcome::Rejected { .. })),
        "{outcome:?}"
    );
}

async fn redactions_take_effect_in_either_order(server: &TestServer) {
    let alice = server.user("alice").await;
    let room_id = alice.create_public_room().await;
    let peer = Peer::start(server.network(), "peer.example");
    let mut room = PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
    let bob = room.user("bob");
    let said = room.message(&bob, "said");
    let early = room.make(PeerEvent {
        prev_events: Some(vec![said.event_id.clone()]),
        ..PeerEvent::text(&bob, "early")
    });
    let redaction = |redacts| PeerEvent {
        redacts: Some(redacts),
        ..PeerEvent::new(&bob, "m.room.redaction", json!({}))
    };
    let late = room.append(redaction(said.event_id.clone()));
    let before = room.append(redaction(early.event_id.clone()));
    let own = alice.send(&room_id, "mine").await;
    // Bob may not redact what Alice has said; the redaction enters the room all the same.
    let ahead = room.append(PeerEvent {
        prev_events: Some(vec![
            before.event_id.clone(),
            own.clone().try_into().expect("an id"),
        ]),
        ..redaction(own.try_into().expect("an event id"))
    });
    room.receive(server, &said).await;
    room.receive(server, &late).await;
    room.receive(server, &before).await;
    room.receive(server, &early).await;
    let history = alice.messages(&room_id, "dir=b&limit=20").await.ok();
    assert_eq!(bodies(&history["chunk"]), ["mine"]);
    let of = |id: &str| {
        let chunk = history["chunk"].as_array().expect("a list");
        let found = chunk.iter().find(|event| event["event_id"] == id);
        found.expect("it is in the history").clone()
    };
    let because = |id: &str| of(id)["unsigned"]["redacted_because"]["event_id"].clone();
    assert_eq!(because(said.event_id.as_str()), late.event_id.as_str());
    assert_eq!(because(early.event_id.as_str()), before.event_id.as_str());
    room.receive(server, &ahead).await;
    let history = alice.messages(&room_id, "dir=b&limit=20").await.ok();
    assert_eq!(bodies(&history["chunk"]), ["mine"]);
}

/// Synapse 1.2.1: a redacted create event leaves a room without ground.
async fn the_create_event_is_not_redacted(server: &TestServer) {
    let alice = server.user("alice").await;
    let body = json!({"preset": "public_chat", "room_version": "10"});
    let room_id = alice.create_room_with(body).await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
    let bob = room.user("bob");
    let levels = json!({"users": {&alice.id: 100, bob.as_str(): 100}});
    alice
        .set_state(&room_id, "m.room.power_levels", "", levels)
        .await
        .ok();
    let mut room = PeerRoom::of(&peer, &alice, &room_id).await;
    let create = room.state[&("m.room.create".to_owned(), String::new())].clone();
    let redaction = room.append(PeerEvent {
        redacts: Some(create),
        ..PeerEvent::new(&bob, "m.room.redaction", json!({}))
    });
    room.receive(server, &redaction).await;
    let create = alice.state(&room_id, "m.room.create", "").await.ok();
    assert_eq!(create["room_version"], "10");
}

/// CVE-2018-10657: the depth of one event must not leave the next one without a depth.
async fn a_huge_depth_blocks_nobody(server: &TestServer) {
    let alice = server.user("alice").await;
    let room_id = alice.create_public_room().await;
    let peer = Peer::start(server.network(), "peer.example");
    let mut room = PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
    let deep = room.append(PeerEvent {
        depth: Some((1 << 53) - 1),
        ..PeerEvent::text(&room.user("bob"), "deep")
    });
    room.receive(server, &deep).await;
    alice.send(&room_id, "one").await;
    alice.send(&room_id, "two").await;
    let history = alice.messages(&room_id, "dir=b&limit=3").await.ok();
    assert_eq!(bodies(&history["chunk"]), ["two", "one", "deep"]);
}

async fn both_sides_of_a_fork_are_in_the_room(server: &TestServer) {
    let alice = server.user("alice").await;
    let room_id = alice.create_public_room().await;
    let peer = Peer::start(server.network(), "peer.example");
    let mut room = PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
    // Neither side has heard of what the other one does.
    let carol = room.user("carol");
    let join = json!({"membership": "join"});
    let join = room.set(&carol, "m.room.member", carol.as_str(), join);
    let topic = json!({"topic": "Forks"});
    alice
        .set_state(&room_id, "m.room.topic", "", topic)
        .await
        .ok();
    room.receive(server, &join).await;

    assert_eq!(
        alice.state(&room_id, "m.room.topic", "").await.ok()["topic"],
        "Forks"
    );
    let member = alice
        .state(&room_id, "m.room.member", carol.as_str())
        .await
        .ok();
    assert_eq!(member["membership"], "join");
    // What is sent next comes after both.
    let next = alice.send(&room_id, "after both").await;
    let path = format!(
        "/_matrix/federation/v1/event/{}",
        myelin_testkit::encode(&next)
    );
    let pdu = peer.get(server, &path).await.ok()["pdus"][0].clone();
    assert_eq!(pdu["prev_events"].as_array().unwrap().len(), 2, "{pdu}");
    let said = room.message(&carol, "me too");
    room.receive(server, &said).await;
    let history = alice.messages(&room_id, "dir=b&limit=2").await.ok();
    assert_eq!(bodies(&history["chunk"]), ["me too", "after both"]);
}

/// Synapse #1760, #8612: a room whose ends nobody ties together must not become slow.
async fn a_room_has_few_ends(server: &TestServer) {
    let alice = server.user("alice").await;
    let room_id = alice.create_public_room().await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
    let bob = room.user("bob");
    for number in 0..30 {
        let event = room.clone().message(&bob, &number.to_string());
        room.receive(server, &event).await;
    }
    let next = alice.send(&room_id, "next").await;
    let path = format!(
        "/_matrix/federation/v1/event/{}",
        myelin_testkit::encode(&next)
    );
    let pdu = peer.get(server, &path).await.ok()["pdus"][0].clone();
    assert_eq!(pdu["prev_events"].as_array().unwrap().len(), 10, "{pdu}");
    let history = alice.messages(&room_id, "dir=b&limit=50").await.ok();
    assert_eq!(bodies(&history["chunk"]).len(), 31);
}
