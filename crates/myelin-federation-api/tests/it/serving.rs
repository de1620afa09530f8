//! What a peer needs to ask about rooms: one that it is in, one that keeps it out, and the like.

use myelin_testkit::{Peer, PeerRoom, TestServer, User, encode};
use serde_json::{Value, json};

/// A room of Alice's, with Bob of the peer in it.
pub(crate) struct Setting {
    pub(crate) alice: User,
    pub(crate) room_id: String,
    pub(crate) room: PeerRoom,
}

impl Setting {
    pub(crate) async fn new(server: &TestServer) -> Self {
        Self::with(server, json!({"preset": "public_chat"})).await
    }

    pub(crate) async fn with(server: &TestServer, body: Value) -> Self {
        let alice = server.user("alice").await;
        let room_id = alice.create_room_with(body).await;
        let peer = Peer::start(server.network(), "peer.example");
        let room = PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
        Self {
            alice,
            room_id,
            room,
        }
    }

    /// A peer that is in no room, the peer that Alice's room keeps out, and what of each is
    /// refused: `path` is asked with nothing, or with the body.
    pub(crate) async fn keeps_others_out(&self, server: &TestServer, path: &str, body: Value) {
        let outsider = Peer::start(server.network(), "outsider.example");
        let ask = async |peer: &Peer| {
            if body.is_null() {
                peer.get(server, path).await
            } else {
                peer.post(server, path, body.clone()).await
            }
        };
        ask(&outsider).await.refused(403, "M_FORBIDDEN");
        let allowed = ask(&self.room.peer).await;
        assert_eq!(allowed.status, 200, "{}", allowed.text);
        let acl = json!({"allow": ["*"], "deny": ["PEER.example"]});
        let set = self
            .alice
            .set_state(&self.room_id, "m.room.server_acl", "", acl)
            .await;
        set.ok();
        ask(&self.room.peer).await.refused(403, "M_FORBIDDEN");
    }
}

/// A path of the federation API with a room in it.
pub(crate) fn path(endpoint: &str, room_id: &str, rest: &str) -> String {
    format!(
        "/_matrix/federation/v1/{endpoint}/{}{rest}",
        encode(room_id)
    )
}

/// The bodies of texts among PDUs; of a redacted one, nothing.
pub(crate) fn bodies(pdus: &Value) -> Vec<&str> {
    let texts = pdus.as_array().expect("a list").iter();
    let texts = texts.filter(|pdu| pdu["type"] == "m.room.message");
    texts
        .map(|pdu| pdu["content"]["body"].as_str().unwrap_or("(redacted)"))
        .collect()
}
