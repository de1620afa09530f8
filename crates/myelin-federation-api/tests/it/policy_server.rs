//! Rooms that use a policy server (spec: "Policy Servers"), which the tests play.

mod later_events;
mod own_events;
mod received_events;

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request};
use myelin_core::{event, json as canonical, signing_key::SigningKey};
use myelin_testkit::{Peer, PeerRoom, TestServer, User};
use ruma::RoomVersionId;
use serde_json::{Value, json};

const SIGN: &str = "/_matrix/policy/v1/sign";
const NAME: &str = "policy.example";

/// A public room of Alice's, with a user of the policy server in it, which it names.
struct Scene {
    alice: User,
    room_id: String,
    policy: Arc<Peer>,
    room: PeerRoom,
}

impl Scene {
    async fn new(server: &TestServer) -> Self {
        let scene = Self::without_policy(server).await;
        let policy = named(&key());
        let set = scene
            .alice
            .set_state(&scene.room_id, "m.room.policy", "", policy);
        set.await.ok();
        scene
    }

    /// The same before the room names it.
    async fn without_policy(server: &TestServer) -> Self {
        let alice = server.user("alice").await;
        Self::of(server, alice).await
    }

    async fn of(server: &TestServer, alice: User) -> Self {
        let room_id = alice.create_public_room().await;
        let policy = Peer::start(server.network(), NAME);
        policy.answer(Method::POST, SIGN, |request| {
            (200, signature(request, &key()))
        });
        let room = PeerRoom::joined(&policy, server, (&alice, &room_id), "bot").await;
        Self {
            alice,
            room_id,
            policy,
            room,
        }
    }

    /// From now on the policy server answers so.
    fn answer(&self, status: u16, body: &Value) {
        let body = body.clone();
        let answer = move |_: &Request<Bytes>| (status, body.clone());
        self.policy.answer(Method::POST, SIGN, answer);
    }

    /// The events that the policy server was asked about, the oldest first.
    fn asked(&self) -> Vec<Value> {
        let received = self.policy.received().into_iter();
        let asked = received.filter(|request| request.path == SIGN);
        asked.map(|request| request.body).collect()
    }

    /// What was said in the room, the oldest first.
    async fn said(&self) -> Vec<String> {
        let history = self.alice.messages(&self.room_id, "dir=b&limit=50").await;
        let chunk = history.ok()["chunk"].clone();
        let events = chunk.as_array().unwrap().iter().rev();
        let body = |event: &Value| event["content"]["body"].as_str().map(ToOwned::to_owned);
        events.filter_map(body).collect()
    }

    /// An event as other servers are told it.
    async fn pdu(&self, server: &TestServer, event_id: &str) -> Value {
        let path = format!(
            "/_matrix/federation/v1/event/{}",
            myelin_testkit::encode(event_id)
        );
        self.policy.get(server, &path).await.ok()["pdus"][0].clone()
    }
}

fn key() -> SigningKey {
    SigningKey::from_seed("policy_server", [9; 32])
}

/// The content by which a room names the policy server.
fn named(key: &SigningKey) -> Value {
    json!({"via": NAME, "public_keys": {"ed25519": key.public_key_base64()}})
}

/// The answer to a request for a signature.
fn signature(request: &Request<Bytes>, key: &SigningKey) -> Value {
    signature_of(std::str::from_utf8(request.body()).unwrap(), key)
}

fn signature_of(pdu: &str, key: &SigningKey) -> Value {
    let redacted = event::redact(pdu, &RoomVersionId::V12).unwrap();
    let mut signed = canonical::parse_object(redacted.as_bytes()).unwrap();
    signed.remove("signatures");
    signed.remove("unsigned");
    let signature = key.sign_base64(canonical::to_canonical(&signed).as_bytes());
    json!({NAME: {"ed25519:policy_server": signature}})
}

/// Whether an event has the policy server's signature beside the one of this server.
fn is_signed(pdu: &Value, origin: &str) -> bool {
    let signatures = &pdu["signatures"];
    let expected = signature_of(&pdu.to_string(), &key());
    signatures[origin].is_object() && signatures[NAME] == expected[NAME]
}
