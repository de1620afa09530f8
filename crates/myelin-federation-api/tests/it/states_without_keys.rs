//! States that hold events of servers that do not tell their keys: nobody is left out of a room for
//! having been silent for a moment.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::Method;
use myelin_core::{
    event::{self, Event},
    signing_key::SigningKey,
};
use myelin_testkit::{
    Answer, Peer, PeerRoom, TestServer, User, encode, pdu, three_modes, wait_until,
};
use ruma::CanonicalJsonObject;
use serde_json::json;

use crate::hostile_answers::Liar;

three_modes!(
    a_join_waits_for_keys,
    a_join_goes_on_without_who_is_gone,
    keys_that_a_server_does_not_have_are_not_waited_for,
    across_a_gap_keys_are_waited_for,
    what_is_stored_takes_no_keys,
    what_comes_during_a_join_waits_for_it,
    who_is_kept_out_is_not_heard_after_a_join,
);

const KEYS: &str = "/_matrix/key/v2/server";

/// A server that has lost its tongue, and how often it was asked for its keys.
struct Silent {
    peer: Arc<Peer>,
    asked: Arc<AtomicUsize>,
}

impl Silent {
    fn start(server: &TestServer) -> Self {
        let peer = Peer::start(server.network(), "silent.example");
        let asked = Arc::new(AtomicUsize::new(0));
        let silent = Self { peer, asked };
        silent.tell_keys(500, json!({}));
        silent
    }

    fn tell_keys(&self, status: u16, keys: serde_json::Value) {
        let asked = self.asked.clone();
        self.peer.answer(Method::GET, KEYS, move |_| {
            asked.fetch_add(1, Ordering::Relaxed);
            (status, keys.clone())
        });
    }

    fn speak(&self) {
        self.tell_keys(200, self.peer.keys());
    }

    async fn was_asked(&self, times: usize) {
        wait_until("the keys are asked for", async || {
            self.asked.load(Ordering::Relaxed) >= times
        })
        .await;
    }

    /// A user of the silent server comes into the room.
    fn join(&self, room: &mut PeerRoom) -> Event {
        let theirs = PeerRoom {
            peer: self.peer.clone(),
            ..room.clone()
        };
        let eve = theirs.user("eve");
        let content = json!({"membership": "join"});
        let event = theirs
            .clone()
            .set(&eve, "m.room.member", eve.as_str(), content);
        room.take(&event);
        event
    }
}

/// A room of a peer with a user of the silent server in it.
fn room_with(server: &TestServer, silent: &Silent) -> Liar {
    let peer = Peer::start(server.network(), "peer.example");
    let mut room = PeerRoom::create(&peer, "11", "mallory");
    silent.join(&mut room);
    Liar::with_room(peer, room)
}

async fn membership(user: &User, room: &str, of: &str) -> Answer {
    user.get(&format!("/rooms/{}/state/m.room.member/{of}", encode(room)))
        .await
}

/// A join that waits for keys. Once this was done, time passes until the join is answered: a minute in
/// a second or so, for keys are looked for once a second, and asked for again a minute after an
/// attempt has failed.
async fn join_in_time(
    server: &TestServer,
    (liar, alice): (&Liar, &User),
    meanwhile: impl Future,
) -> Answer {
    let is_answered = AtomicBool::new(false);
    let joined = async {
        let answer = liar.join(alice).await;
        is_answered.store(true, Ordering::Relaxed);
        answer
    };
    let passing = async {
        meanwhile.await;
        wait_until("the join is answered", async || {
            server.clock().advance(Duration::from_millis(300));
            is_answered.load(Ordering::Relaxed)
        })
        .await;
    };
    tokio::join!(joined, passing).0
}

async fn a_join_waits_for_keys(server: &TestServer) {
    let alice = server.user("alice").await;
    let silent = Silent::start(server);
    let liar = room_with(server, &silent);
    let speak_later = async {
        silent.was_asked(1).await;
        assert!(!liar.is_joined(&alice).await);
        silent.speak();
    };
    let joined = join_in_time(server, (&liar, &alice), speak_later).await;
    joined.ok();
    let eve = membership(&alice, liar.room.id.as_str(), "@eve:silent.example");
    assert_eq!(eve.await.ok()["membership"], "join");
}

async fn a_join_goes_on_without_who_is_gone(server: &TestServer) {
    let alice = server.user("alice").await;
    let silent = Silent::start(server);
    let liar = room_with(server, &silent);
    let started_ms = server.now_ms();
    let asked_once = async {
        silent.was_asked(1).await;
        assert!(!liar.is_joined(&alice).await);
    };
    let joined = join_in_time(server, (&liar, &alice), asked_once).await;
    joined.ok();
    // Asked again, every minute at most, and given up after five.
    let asked = silent.asked.load(Ordering::Relaxed);
    assert!((2..=6).contains(&asked), "{asked}");
    assert!(server.now_ms() - started_ms >= 5 * 60 * 1_000);
    let room_id = liar.room.id.as_str();
    let eve = membership(&alice, room_id, "@eve:silent.example").await;
    eve.refused(404, "M_NOT_FOUND");
    let mallory = membership(&alice, room_id, "@mallory:peer.example").await;
    assert_eq!(mallory.ok()["membership"], "join");
}

async fn keys_that_a_server_does_not_have_are_not_waited_for(server: &TestServer) {
    let alice = server.user("alice").await;
    let silent = Silent::start(server);
    let liar = room_with(server, &silent);
    // It was set up anew, with another key.
    let key = SigningKey::from_seed("new", [1; 32]);
    let keys = json!({
        "server_name": "silent.example",
        "valid_until_ts": silent.peer.server.now_ms() + 60 * 60 * 1000,
        "verify_keys": {key.key_id(): {"key": key.public_key_base64()}},
        "old_verify_keys": {},
    });
    let mut keys: CanonicalJsonObject = serde_json::from_value(keys).unwrap();
    key.sign_object(&silent.peer.server.name, &mut keys)
        .unwrap();
    let keys = serde_json::to_value(keys).unwrap();
    silent.tell_keys(200, keys);
    liar.join(&alice).await.ok();
    let eve = membership(&alice, liar.room.id.as_str(), "@eve:silent.example").await;
    eve.refused(404, "M_NOT_FOUND");
}

/// A room of Alice's, and the same as the peer knows it.
async fn shared_room(server: &TestServer) -> (User, String, PeerRoom) {
    let alice = server.user("alice").await;
    let body = json!({"preset": "public_chat", "room_version": "11"});
    let room_id = alice.create_room_with(body).await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
    (alice, room_id, room)
}

/// The peer tells what the state was before its next event.
fn tell_state(room: &PeerRoom, new: &[&Event]) {
    let ids: Vec<_> = room.state.values().cloned().collect();
    let ids = json!({"pdu_ids": ids, "auth_chain_ids": []});
    let path = "/_matrix/federation/v1/state_ids/";
    room.peer
        .answer(Method::GET, path, move |_| (200, ids.clone()));
    let pdus: Vec<_> = new.iter().map(|event| pdu(event)).collect();
    let state = json!({"pdus": pdus, "auth_chain": []});
    let path = "/_matrix/federation/v1/state/";
    room.peer
        .answer(Method::GET, path, move |_| (200, state.clone()));
}

async fn said(user: &User, room: &str) -> String {
    let history = user.messages(room, "dir=b&limit=20").await;
    history.ok()["chunk"].to_string()
}

async fn across_a_gap_keys_are_waited_for(server: &TestServer) {
    let (alice, room_id, mut room) = shared_room(server).await;
    let silent = Silent::start(server);
    let join = silent.join(&mut room);
    let bob = room.user("bob");
    tell_state(&room, &[&join]);
    let late = room.message(&bob, "after the gap");
    room.send(server, &[&late]).await.ok();
    silent.was_asked(1).await;
    assert!(!said(&alice, &room_id).await.contains("after the gap"));
    silent.speak();
    // The pause after which the keys are asked for again, and that of the event, which begins at
    // some time from now on.
    wait_until("the event is there", async || {
        server.clock().advance(Duration::from_secs(5));
        said(&alice, &room_id).await.contains("after the gap")
    })
    .await;
    let eve = membership(&alice, &room_id, "@eve:silent.example").await;
    assert_eq!(eve.ok()["membership"], "join");
}

async fn what_is_stored_takes_no_keys(server: &TestServer) {
    let (alice, room_id, mut room) = shared_room(server).await;
    let silent = Silent::start(server);
    let join = silent.join(&mut room);
    room.receive(server, &join).await;
    let (bob, carol) = (room.user("bob"), room.user("carol"));
    let content = json!({"membership": "join"});
    let new = room.set(&carol, "m.room.member", carol.as_str(), content);
    tell_state(&room, &[&join, &new]);
    let late = room.message(&bob, "after the gap");
    room.send(server, &[&late]).await.ok();
    wait_until("the event is there", async || {
        said(&alice, &room_id).await.contains("after the gap")
    })
    .await;
    for user in ["@eve:silent.example", "@carol:peer.example"] {
        let found = membership(&alice, &room_id, user).await;
        assert_eq!(found.ok()["membership"], "join");
    }
}

/// A join that waits for keys, until this was done. Others believe that Alice is in the room.
async fn during_a_join(
    server: &TestServer,
    liar: &Liar,
    silent: &Silent,
    meanwhile: impl Future,
) -> User {
    let alice = server.user("alice").await;
    let meanwhile = async {
        silent.was_asked(1).await;
        meanwhile.await;
        silent.speak();
    };
    let joined = join_in_time(server, (liar, &alice), meanwhile).await;
    joined.ok();
    alice
}

/// The room as it is for the peer once Alice has joined it.
fn after_join(liar: &Liar) -> PeerRoom {
    let sent = liar.peer.received().pop().unwrap();
    let json = sent.body.to_string();
    let join = event::parse(json.as_bytes(), &liar.room.version).unwrap();
    let mut room = liar.room.clone();
    room.take(&join);
    room
}

async fn what_comes_during_a_join_waits_for_it(server: &TestServer) {
    let silent = Silent::start(server);
    let liar = room_with(server, &silent);
    let kick = async {
        wait_until("the join is sent", async || liar.peer.received().len() == 2).await;
        let mut room = after_join(&liar);
        let mallory = room.user("mallory");
        let content = json!({"membership": "leave", "reason": "too slow"});
        let kick = room.set(&mallory, "m.room.member", "@alice:localhost", content);
        let answer = room.send(server, &[&kick]).await.ok();
        assert_eq!(answer["pdus"][kick.event_id.as_str()], json!({}));
    };
    let alice = during_a_join(server, &liar, &silent, Box::pin(kick)).await;
    // What waits is looked at every second.
    wait_until("the kick is heard", async || {
        server.clock().advance(Duration::from_secs(1));
        !liar.is_joined(&alice).await
    })
    .await;
    let news = alice.sync(None).await;
    let room_id = liar.room.id.as_str();
    assert!(news["rooms"]["join"][room_id].is_null(), "{news}");
}

async fn who_is_kept_out_is_not_heard_after_a_join(server: &TestServer) {
    let silent = Silent::start(server);
    let peer = Peer::start(server.network(), "peer.example");
    let evil = Peer::start(server.network(), "evil.example");
    let mut room = PeerRoom::create(&peer, "11", "mallory");
    let mallory = room.user("mallory");
    silent.join(&mut room);
    let acl = json!({"allow": ["*"], "deny": ["evil.example"]});
    room.set(&mallory, "m.room.server_acl", "", acl);
    let liar = Liar::with_room(peer, room);
    let send = async {
        wait_until("the join is sent", async || liar.peer.received().len() == 2).await;
        let mut room = after_join(&liar);
        let heard = room.message(&mallory, "heard");
        room.send(server, &[&heard]).await.ok();
        // It passes on what is not its own.
        let through_evil = room.message(&mallory, "through evil");
        let room = PeerRoom {
            peer: evil.clone(),
            ..room
        };
        room.send(server, &[&through_evil]).await.ok();
    };
    let alice = during_a_join(server, &liar, &silent, Box::pin(send)).await;
    let room_id = liar.room.id.as_str();
    // Both are looked at together, every second.
    wait_until("the first is heard", async || {
        server.clock().advance(Duration::from_secs(1));
        said(&alice, room_id).await.contains("heard")
    })
    .await;
    assert!(!said(&alice, room_id).await.contains("through evil"));
}
