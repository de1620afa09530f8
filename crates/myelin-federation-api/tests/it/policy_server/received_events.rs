//! What comes from other servers into rooms that use a policy server.

use std::{collections::BTreeSet, sync::Arc};

use http::Method;
use myelin_rooms::Outcome;
use myelin_testkit::{Peer, PeerEvent, PeerRoom, TestServer, encode, pdu, three_modes, wait_until};
use ruma::OwnedUserId;
use serde_json::{Value, json};

use super::{SIGN, Scene, is_signed, key, named, signature, signature_of};

three_modes!(
    a_signature_is_not_asked_for_twice,
    what_lacks_a_signature_is_asked_about,
    what_is_refused_soft_fails,
    a_wrong_signature_is_asked_about_again,
    what_nobody_vouches_for_soft_fails,
    the_event_that_names_it_needs_no_signature,
    many_events_are_asked_about_once_each,
    what_the_rules_refuse_is_not_asked_about,
    a_join_gets_its_signature,
    state_resolution_knows_no_policy,
    other_rooms_go_on
);

/// The scene with Bob of another server in the room.
struct Received {
    scene: Scene,
    peer: Arc<Peer>,
    room: PeerRoom,
    bob: OwnedUserId,
}

impl Received {
    async fn new(server: &TestServer) -> Self {
        let scene = Scene::new(server).await;
        let peer = Peer::start(server.network(), "peer.example");
        let there = (&scene.alice, &*scene.room_id);
        let room = PeerRoom::joined(&peer, server, there, "bob").await;
        assert_eq!(scene.asked().len(), 1, "the join was asked about");
        let bob = room.user("bob");
        Self {
            scene,
            peer,
            room,
            bob,
        }
    }

    async fn send(&self, server: &TestServer, pdus: Vec<Value>) {
        self.peer.transaction(server, pdus, Vec::new()).await.ok();
    }

    async fn wait_for(&self, said: &[&str]) {
        wait_until("everything has arrived", async || {
            self.scene.said().await == said
        })
        .await;
    }
}

async fn a_signature_is_not_asked_for_twice(server: &TestServer) {
    let mut there = Received::new(server).await;
    let event = there.room.message(&there.bob, "signed");
    let mut signed = pdu(&event);
    let signature = signature_of(&event.json, &key());
    signed["signatures"]["policy.example"] = signature["policy.example"].clone();
    there.send(server, vec![signed]).await;
    there.wait_for(&["signed"]).await;
    assert_eq!(there.scene.asked().len(), 1, "only the join");
    let stored = there.scene.pdu(server, event.event_id.as_str()).await;
    assert!(is_signed(&stored, "peer.example"), "{stored}");
}

async fn what_lacks_a_signature_is_asked_about(server: &TestServer) {
    let mut there = Received::new(server).await;
    let event = there.room.message(&there.bob, "unsigned");
    for _ in 0..3 {
        there.send(server, vec![pdu(&event)]).await;
    }
    there.wait_for(&["unsigned"]).await;
    let asked = there.scene.asked();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert_eq!(asked[1], pdu(&event));
    // From here on it goes out with the signature.
    let stored = there.scene.pdu(server, event.event_id.as_str()).await;
    assert!(is_signed(&stored, "peer.example"), "{stored}");
}

async fn what_is_refused_soft_fails(server: &TestServer) {
    let mut there = Received::new(server).await;
    there
        .scene
        .answer(400, &json!({"errcode": "M_FORBIDDEN", "error": "spam"}));
    let spam = there.room.message(&there.bob, "spam");
    let received = server.rooms().receive_event(spam.clone()).await.unwrap();
    let Outcome::SoftFailed { reason } = received else {
        panic!("{received:?}");
    };
    assert_eq!(reason, "the policy server policy.example refuses it: spam");
    there.send(server, vec![pdu(&spam)]).await;
    there.scene.policy.answer(Method::POST, SIGN, |request| {
        (200, signature(request, &key()))
    });
    let decent = there.room.message(&there.bob, "decent");
    there.send(server, vec![pdu(&decent)]).await;
    there.wait_for(&["decent"]).await;
    let asked = there.scene.asked();
    assert_eq!(asked.len(), 3, "the join, and each event once: {asked:?}");
    // It is not built on.
    let own = there.scene.alice.send(&there.scene.room_id, "hi").await;
    let own = there.scene.pdu(server, &own).await;
    let before = own["prev_events"].as_array().unwrap();
    assert!(before.contains(&json!(decent.event_id)), "{own}");
    assert!(!before.contains(&json!(spam.event_id)), "{own}");
}

async fn a_wrong_signature_is_asked_about_again(server: &TestServer) {
    let mut there = Received::new(server).await;
    let event = there.room.message(&there.bob, "renewed");
    let mut wrong = pdu(&event);
    wrong["signatures"]["policy.example"] = json!({"ed25519:policy_server": "AAAA"});
    there.send(server, vec![wrong]).await;
    there.wait_for(&["renewed"]).await;
    let stored = there.scene.pdu(server, event.event_id.as_str()).await;
    assert!(is_signed(&stored, "peer.example"), "{stored}");
}

async fn what_nobody_vouches_for_soft_fails(server: &TestServer) {
    let mut there = Received::new(server).await;
    there.scene.answer(500, &json!({}));
    let lost = [
        there.room.message(&there.bob, "one"),
        there.room.message(&there.bob, "two"),
    ];
    for event in &lost {
        let received = server.rooms().receive_event(event.clone()).await.unwrap();
        assert!(
            matches!(received, Outcome::SoftFailed { .. }),
            "{received:?}"
        );
    }
    // The second did not wait for it.
    assert_eq!(there.scene.asked().len(), 2);
    there.scene.policy.answer(Method::POST, SIGN, |request| {
        (200, signature(request, &key()))
    });
    server.clock().advance(std::time::Duration::from_secs(11));
    let event = there.room.message(&there.bob, "three");
    there.send(server, vec![pdu(&event)]).await;
    there.wait_for(&["three"]).await;
}

async fn the_event_that_names_it_needs_no_signature(server: &TestServer) {
    let there = Received::new(server).await;
    let power = json!({"users": {&*there.bob: 100}});
    let set = there
        .scene
        .alice
        .set_state(&there.scene.room_id, "m.room.power_levels", "", power);
    set.await.ok();
    let asked = there.scene.asked().len();
    there
        .scene
        .answer(400, &json!({"errcode": "M_FORBIDDEN", "error": "no"}));
    let (alice, room_id) = (&there.scene.alice, &there.scene.room_id);
    let mut room = PeerRoom::of(&there.peer, alice, room_id).await;
    let off = room.set(&there.bob, "m.room.policy", "", json!({}));
    let free = room.message(&there.bob, "free");
    there.send(server, vec![pdu(&off), pdu(&free)]).await;
    there.wait_for(&["free"]).await;
    assert_eq!(there.scene.asked().len(), asked);
    // With another state key it is an event as any other.
    let on = room.set(&there.bob, "m.room.policy", "", named(&key()));
    room.receive(server, &on).await;
    let other = room.set(&there.bob, "m.room.policy", "other", named(&key()));
    let received = server.rooms().receive_event(other).await.unwrap();
    assert!(
        matches!(received, Outcome::SoftFailed { .. }),
        "{received:?}"
    );
}

async fn many_events_are_asked_about_once_each(server: &TestServer) {
    let mut there = Received::new(server).await;
    let events: Vec<_> = (0..40)
        .map(|number| there.room.message(&there.bob, &format!("text {number}")))
        .collect();
    there.send(server, events.iter().map(pdu).collect()).await;
    let last = events.last().unwrap();
    wait_until("all have arrived", async || {
        there
            .scene
            .said()
            .await
            .last()
            .is_some_and(|body| body == "text 39")
    })
    .await;
    let asked = there.scene.asked();
    let ids: BTreeSet<String> = asked.iter().map(ToString::to_string).collect();
    assert_eq!((asked.len(), ids.len()), (41, 41));
    let stored = there.scene.pdu(server, last.event_id.as_str()).await;
    assert!(is_signed(&stored, "peer.example"), "{stored}");
}

async fn what_the_rules_refuse_is_not_asked_about(server: &TestServer) {
    let mut there = Received::new(server).await;
    let mallory = there.room.user("mallory");
    let forged = there.room.make(PeerEvent::text(&mallory, "I am not here"));
    let received = server.rooms().receive_event(forged).await.unwrap();
    assert!(matches!(received, Outcome::Rejected { .. }), "{received:?}");
    assert_eq!(there.scene.asked().len(), 1, "only the join");
    let event = there.room.message(&there.bob, "hello");
    there.send(server, vec![pdu(&event)]).await;
    there.wait_for(&["hello"]).await;
}

async fn a_join_gets_its_signature(server: &TestServer) {
    let there = Received::new(server).await;
    let (alice, room_id) = (&there.scene.alice, &there.scene.room_id);
    let room = PeerRoom::of(&there.peer, alice, room_id).await;
    let join = |localpart: &str| {
        let user = room.user(localpart);
        room.make(PeerEvent {
            state_key: Some(user.to_string()),
            ..PeerEvent::new(&user, "m.room.member", json!({"membership": "join"}))
        })
    };
    let send = async |event: &myelin_core::event::Event| {
        let path = format!(
            "/_matrix/federation/v2/send_join/{}/{}",
            encode(room_id),
            encode(event.event_id.as_str())
        );
        there.peer.put(server, &path, pdu(event)).await
    };
    let answer = send(&join("carol")).await.ok();
    assert!(
        is_signed(&answer["event"], "peer.example"),
        "{}",
        answer["event"]
    );
    wait_until("others are told of it with the signature", async || {
        let sent = there.scene.policy.pdus();
        let joins = sent
            .iter()
            .filter(|pdu| pdu["state_key"] == "@carol:peer.example");
        joins.filter(|pdu| is_signed(pdu, "peer.example")).count() == 1
    })
    .await;

    there
        .scene
        .answer(400, &json!({"errcode": "M_FORBIDDEN", "error": "not her"}));
    let message = send(&join("dora")).await.refused(403, "M_FORBIDDEN");
    assert!(message.contains("not her"), "{message}");
}

/// What soft-fails may still be in the state that others have, and so in the one that follows.
async fn state_resolution_knows_no_policy(server: &TestServer) {
    let there = Received::new(server).await;
    let (alice, room_id) = (&there.scene.alice, &there.scene.room_id);
    let levels = json!({"users": {&*there.bob: 50}});
    alice
        .set_state(room_id, "m.room.power_levels", "", levels)
        .await
        .ok();
    let mut room = PeerRoom::of(&there.peer, alice, room_id).await;
    there
        .scene
        .answer(400, &json!({"errcode": "M_FORBIDDEN", "error": "no topic"}));
    let topic = room.set(&there.bob, "m.room.topic", "", json!({"topic": "refused"}));
    let received = server.rooms().receive_event(topic).await.unwrap();
    assert!(
        matches!(received, Outcome::SoftFailed { .. }),
        "{received:?}"
    );
    alice
        .state(room_id, "m.room.topic", "")
        .await
        .refused(404, "M_NOT_FOUND");
    there.scene.policy.answer(Method::POST, SIGN, |request| {
        (200, signature(request, &key()))
    });
    let next = room.message(&there.bob, "on top of it");
    room.receive(server, &next).await;
    let topic = alice.state(room_id, "m.room.topic", "").await.ok();
    assert_eq!(topic["topic"], "refused");
}

async fn other_rooms_go_on(server: &TestServer) {
    let mut there = Received::new(server).await;
    server.network().set_cut_off("policy.example", true);
    let alice = &there.scene.alice;
    let other_id = alice.create_public_room().await;
    let mut other = PeerRoom::joined(&there.peer, server, (alice, &other_id), "bob").await;
    let lost: Vec<_> = (0..30)
        .map(|number| there.room.message(&there.bob, &format!("text {number}")))
        .collect();
    let hello = other.message(&there.bob, "hello");
    let mut pdus: Vec<Value> = lost.iter().map(pdu).collect();
    pdus.push(pdu(&hello));
    there.send(server, pdus).await;
    wait_until("the other room goes on", async || {
        let history = alice.messages(&other_id, "dir=b&limit=1").await.ok();
        history["chunk"][0]["content"]["body"] == "hello"
    })
    .await;
    assert_eq!(there.scene.said().await, [""; 0]);
}
