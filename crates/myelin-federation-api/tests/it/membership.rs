//! What another server can ask this one for its users: the events, the answers, the refusals.

mod create_invite;
mod create_join_event;
mod create_knock_event;
mod create_leave_event;
mod prepare_join_event;
mod prepare_knock_event;
mod prepare_leave_event;

use std::sync::Arc;

use myelin_core::event::Event;
use myelin_testkit::{
    Answer, Peer, PeerEvent, PeerRoom, TestServer, User, encode, pdu, three_modes,
};
use serde_json::{Value, json};

three_modes!(who_is_kept_out_of_a_room_is_told_nothing_of_it);

/// A peer with a user, `@bob:peer.example`, and a room of `@alice:localhost`.
struct Scene {
    alice: User,
    peer: Arc<Peer>,
    room_id: String,
}

const BOB: &str = "@bob:peer.example";

impl Scene {
    async fn new(server: &TestServer, room: Value) -> Self {
        let alice = server.user("alice").await;
        let room_id = alice.create_room_with(room).await;
        Self {
            peer: Peer::start(server.network(), "peer.example"),
            alice,
            room_id,
        }
    }

    async fn public(server: &TestServer) -> Self {
        Self::new(server, json!({"preset": "public_chat"})).await
    }

    async fn room(&self) -> PeerRoom {
        PeerRoom::of(&self.peer, &self.alice, &self.room_id).await
    }

    /// `GET .../make_{what}/{roomId}/{userId}`.
    async fn make(&self, server: &TestServer, what: &str, user: &str) -> Answer {
        let versions: Vec<String> = (1..=12).map(|number| format!("ver={number}")).collect();
        let path = format!(
            "/_matrix/federation/v1/make_{what}/{}/{}?{}",
            encode(&self.room_id),
            encode(user),
            versions.join("&")
        );
        self.peer.get(server, &path).await
    }

    /// `PUT .../{what}/{roomId}/{eventId}` of an event as it should be.
    async fn send(&self, server: &TestServer, what: &str, event: &Event) -> Answer {
        let names = (self.room_id.as_str(), event.event_id.as_str());
        put(&self.peer, server, (what, names), pdu(event)).await
    }

    /// What bob is to the room.
    async fn membership_of_bob(&self) -> String {
        let state = self.alice.state(&self.room_id, "m.room.member", BOB).await;
        let membership = &state.body["membership"];
        membership.as_str().unwrap_or("nothing").to_owned()
    }

    /// A member event of bob's on top of the room.
    async fn member(&self, membership: &str) -> Event {
        let mut room = self.room().await;
        let bob = room.user("bob");
        let content = json!({"membership": membership});
        room.set(&bob, "m.room.member", bob.as_str(), content)
    }
}

async fn put(
    peer: &Peer,
    server: &TestServer,
    (what, (room_id, event_id)): (&str, (&str, &str)),
    body: Value,
) -> Answer {
    let path = format!(
        "/_matrix/federation/{what}/{}/{}",
        encode(room_id),
        encode(event_id)
    );
    peer.put(server, &path, body).await
}

/// Events that differ from what a request says in one thing each (CVE-2020-26257); all of them are
/// refused, and nothing comes of them.
async fn refuses_what_is_something_else(
    server: &TestServer,
    scene: &Scene,
    (what, membership): (&str, &str),
) {
    let good = scene.member(membership).await;
    let mut room = scene.room().await;
    let (bob, eve) = (room.user("bob"), room.user("eve"));
    let before = scene.membership_of_bob().await;
    let content = json!({"membership": membership});
    let member = |sender: &ruma::UserId, key: &str, content: &Value| PeerEvent {
        state_key: Some(key.to_owned()),
        ..PeerEvent::new(sender, "m.room.member", content.clone())
    };
    let other = if membership == "join" {
        "leave"
    } else {
        "join"
    };
    let wrong = [
        member(&bob, eve.as_str(), &content),
        member(&bob, bob.as_str(), &json!({ "membership": other })),
        PeerEvent {
            state_key: Some(String::new()),
            ..PeerEvent::new(&bob, "m.room.topic", content.clone())
        },
        PeerEvent::new(&bob, "m.room.member", content.clone()),
    ];
    for event in wrong {
        let event = room.make(event);
        scene
            .send(server, what, &event)
            .await
            .refused(400, "M_INVALID_PARAM");
    }
    // Of another server than the one that asks.
    let other_peer = Peer::start(server.network(), "other.example");
    let names = (scene.room_id.as_str(), good.event_id.as_str());
    put(&other_peer, server, (what, names), pdu(&good))
        .await
        .refused(400, "M_INVALID_PARAM");
    // Under another id, and for another room.
    let names = (scene.room_id.as_str(), "$something");
    put(&scene.peer, server, (what, names), pdu(&good))
        .await
        .refused(400, "M_INVALID_PARAM");
    let elsewhere = scene.alice.create_public_room().await;
    let names = (elsewhere.as_str(), good.event_id.as_str());
    put(&scene.peer, server, (what, names), pdu(&good))
        .await
        .refused(400, "M_INVALID_PARAM");
    // With a signature that does not hold, and with no event at all.
    let mut forged = pdu(&good);
    forged["signatures"]["peer.example"] = json!({"ed25519:peer": "AAAA"});
    let names = (scene.room_id.as_str(), good.event_id.as_str());
    put(&scene.peer, server, (what, names), forged)
        .await
        .refused(400, "M_INVALID_PARAM");
    put(&scene.peer, server, (what, names), json!({}))
        .await
        .refused(400, "M_INVALID_PARAM");
    room.extremities.clear();
    assert_eq!(scene.membership_of_bob().await, before);
    scene.send(server, what, &good).await.ok();
}

/// Synapse 0.33.3.1: the list of servers holds for every endpoint.
async fn who_is_kept_out_of_a_room_is_told_nothing_of_it(server: &TestServer) {
    let scene = Scene::public(server).await;
    let join = scene.member("join").await;
    let acl = json!({"allow": ["*"], "deny": ["PEER.example"]});
    let set = scene
        .alice
        .set_state(&scene.room_id, "m.room.server_acl", "", acl);
    set.await.ok();
    for what in ["join", "leave", "knock"] {
        scene
            .make(server, what, BOB)
            .await
            .refused(403, "M_FORBIDDEN");
    }
    for what in ["v2/send_join", "v2/send_leave", "v1/send_knock"] {
        scene
            .send(server, what, &join)
            .await
            .refused(403, "M_FORBIDDEN");
    }
    assert_eq!(scene.membership_of_bob().await, "nothing");
}
