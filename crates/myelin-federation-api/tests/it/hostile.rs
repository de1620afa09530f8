//! A peer that lies in every way at once, beside an honest one in the same room: nothing of it is
//! believed, the others are not held up, and what it costs is bounded.

mod answers;
mod events;
mod floods;
mod joins;
mod templates;

use std::{collections::BTreeSet, sync::Arc};

use myelin_store::inbox;
use myelin_testkit::{Peer, PeerRoom, TestServer, User, encode, text, wait_until};
use ruma::OwnedUserId;
use serde_json::{Value, json};

/// A room of this server with a user of a liar in it, and one of an honest server.
struct Scene {
    alice: User,
    room_id: String,
    liar: PeerRoom,
    mallory: OwnedUserId,
    honest: PeerRoom,
    carol: OwnedUserId,
    /// What the honest one has said.
    said: usize,
}

impl Scene {
    async fn new(server: &TestServer, version: &str) -> Self {
        let alice = server.user(&format!("alice{version}")).await;
        let body = json!({"preset": "public_chat", "room_version": version});
        let room_id = alice.create_room_with(body).await;
        // A peer that is started again is as it was the first time, its transactions' ids included.
        let liar = Peer::start(server.network(), &format!("liar{version}.example"));
        let honest = Peer::start(server.network(), &format!("honest{version}.example"));
        Self::with((alice, room_id), (&liar, &honest), server).await
    }

    /// The same of a room that there is.
    async fn with(
        (alice, room_id): (User, String),
        (liar, honest): (&Arc<Peer>, &Arc<Peer>),
        server: &TestServer,
    ) -> Self {
        let room = (&alice, room_id.as_str());
        let honest = PeerRoom::joined(honest, server, room, "carol").await;
        let liar = PeerRoom::joined(liar, server, room, "mallory").await;
        Self {
            mallory: liar.user("mallory"),
            carol: honest.user("carol"),
            alice,
            room_id,
            liar,
            honest,
            said: 0,
        }
    }

    /// The honest server says something, and it is heard.
    async fn is_heard(&mut self, server: &TestServer) {
        self.said += 1;
        let words = format!("honest {}", self.said);
        let event = self.honest.message(&self.carol, &words);
        let answer = self.honest.send(server, &[&event]).await.ok();
        assert_eq!(answer["pdus"][event.event_id.as_str()], json!({}));
        wait_until(&format!("{words:?} is heard"), async || {
            self.said_in_room().await.contains(&words)
        })
        .await;
    }

    async fn said_in_room(&self) -> Vec<String> {
        let bodies = self.timeline().await;
        let body = |event: &Value| event["content"]["body"].as_str().map(ToOwned::to_owned);
        bodies.iter().filter_map(body).collect()
    }

    async fn timeline(&self) -> Vec<Value> {
        let history = self.alice.messages(&self.room_id, "dir=b&limit=100").await;
        history.ok()["chunk"].as_array().unwrap().clone()
    }

    /// The ids of everything that clients see of the room: its history and its state.
    async fn seen(&self) -> BTreeSet<String> {
        let state = format!("/rooms/{}/state", encode(&self.room_id));
        let state = self.alice.get(&state).await.ok();
        let sync = self.alice.sync(None).await;
        let synced = &sync["rooms"]["join"][&self.room_id];
        let lists = [
            &state,
            &synced["timeline"]["events"],
            &synced["state"]["events"],
        ];
        let mut events = self.timeline().await;
        events.extend(
            lists
                .iter()
                .flat_map(|list| list.as_array().unwrap().clone()),
        );
        events.iter().map(|event| text(event, "event_id")).collect()
    }

    /// The ids of everything that the honest server is told of the room when it asks.
    async fn told(&self, server: &TestServer) -> BTreeSet<String> {
        let last = self.alice.send(&self.room_id, "last").await;
        let room = encode(&self.room_id);
        let peer = &self.honest.peer;
        let path = format!(
            "/_matrix/federation/v1/state_ids/{room}?event_id={}",
            encode(&last)
        );
        let state = peer.get(server, &path).await.ok();
        let path = format!(
            "/_matrix/federation/v1/backfill/{room}?v={}&limit=100",
            encode(&last)
        );
        let history = peer.get(server, &path).await.ok();
        let version = self.honest.version.clone();
        let history = history["pdus"].as_array().unwrap().iter().map(|pdu| {
            let event = myelin_core::event::parse(pdu.to_string().as_bytes(), &version);
            event.unwrap().event_id.to_string()
        });
        let lists = [&state["pdu_ids"], &state["auth_chain_ids"]];
        let ids = lists.iter().flat_map(|list| list.as_array().unwrap());
        let ids = ids.map(|id| id.as_str().unwrap().to_owned());
        ids.chain(history).filter(|id| *id != last).collect()
    }

    /// Waits until nothing is left in the inbox that could be worked off now.
    async fn settles(&self, server: &TestServer) {
        let store = server.stores().remove(0);
        wait_until("the inbox is worked off", async || {
            let now_ms = server.now_ms().cast_signed();
            let due = inbox::list_rooms(&mut store.read(), now_ms, &[], 1).await;
            due.unwrap().is_empty()
        })
        .await;
    }
}

/// How many events of the room that the liar has sent wait in the inbox.
async fn waiting(server: &TestServer, scene: &Scene) -> i64 {
    let store = server.stores().remove(0);
    let (room_id, origin) = (&scene.room_id, &scene.liar.peer.server.name);
    let room = store.find_interned(room_id.as_bytes()).await.unwrap();
    let origin = store.find_interned(origin.as_bytes()).await.unwrap();
    let (room, origin) = (room.unwrap(), origin.unwrap());
    inbox::count(&mut store.read(), room, origin, 100_000)
        .await
        .unwrap()
}

/// How many requests to paths like this one a peer was sent.
fn asked(peer: &Peer, path: &str) -> usize {
    let received = peer.received();
    received
        .iter()
        .filter(|request| request.path.contains(path))
        .count()
}
