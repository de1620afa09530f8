//! Users, as actors: each method is one request through the door.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::{Method, Request};
use serde_json::{Value, json};

use crate::{Answer, encode, nodes::Nodes, text};

/// The password of every user that the kit registers.
pub const PASSWORD: &str = "correct horse battery staple";

/// A registered user with one session. Clones share the session.
#[derive(Clone)]
pub struct User {
    /// The full id: `@alice:localhost`.
    pub id: String,
    /// The access token.
    pub token: String,
    /// The id of the session's device.
    pub device: String,
    nodes: Arc<Nodes>,
    transactions: Arc<AtomicUsize>,
}

impl User {
    pub(crate) async fn register(nodes: &Arc<Nodes>, localpart: &str) -> Self {
        let body = json!({
            "auth": {"type": "m.login.dummy"},
            "username": localpart,
            "password": PASSWORD,
        });
        let request = Request::post("/_matrix/client/v3/register").body(body.to_string());
        let answer = nodes.call(request.expect("the parts are fixed")).await;
        Self::from_answer(nodes, &answer.ok())
    }

    /// A user as an answer to a registration or a login tells of it.
    pub(crate) fn from_answer(nodes: &Arc<Nodes>, answer: &Value) -> Self {
        Self {
            id: text(answer, "user_id"),
            token: text(answer, "access_token"),
            device: answer["device_id"].as_str().unwrap_or_default().to_owned(),
            nodes: nodes.clone(),
            transactions: Arc::new(AtomicUsize::new(1)),
        }
    }

    /// GET; the path begins with `/_matrix` or `/_synapse`, or continues `/_matrix/client/v3`.
    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path, String::new()).await
    }

    /// POST; as [`User::get`].
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.request(Method::POST, path, body.to_string()).await
    }

    /// PUT; as [`User::get`].
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.request(Method::PUT, path, body.to_string()).await
    }

    /// Any method, and a body that need not be JSON.
    pub async fn request(&self, method: Method, path: &str, body: String) -> Answer {
        self.nodes.call(self.signed(method, path, body)).await
    }

    /// As [`User::request`]; None if the server is not running, or is killed meanwhile.
    pub async fn try_request(&self, method: Method, path: &str, body: Value) -> Option<Answer> {
        let request = self.signed(method, path, body.to_string());
        self.nodes.try_call(request).await
    }

    fn signed(&self, method: Method, path: &str, body: String) -> Request<String> {
        let path = if path.starts_with("/_") {
            path.to_owned()
        } else {
            format!("/_matrix/client/v3{path}")
        };
        Request::builder()
            .method(method)
            .uri(path)
            .header("Authorization", format!("Bearer {}", self.token))
            .body(body)
            .expect("a test gives a valid path")
    }

    /// A room that only invited users may join; its id.
    pub async fn create_room(&self) -> String {
        self.create_room_with(json!({})).await
    }

    /// A room that anybody may join; its id.
    pub async fn create_public_room(&self) -> String {
        self.create_room_with(json!({"preset": "public_chat"}))
            .await
    }

    /// A room made with this body; its id.
    pub async fn create_room_with(&self, body: Value) -> String {
        text(&self.post("/createRoom", body).await.ok(), "room_id")
    }

    /// Sends a text; the event's id.
    pub async fn send(&self, room: &str, body: &str) -> String {
        let content = json!({"msgtype": "m.text", "body": body});
        let txn = self.new_txn_id();
        let answer = self.send_event(room, "m.room.message", &txn, content).await;
        text(&answer.ok(), "event_id")
    }

    /// A transaction id that this user has not used.
    pub fn new_txn_id(&self) -> String {
        let number = self.transactions.fetch_add(1, Ordering::Relaxed);
        number.to_string()
    }

    /// `PUT /rooms/{roomId}/send/{eventType}/{txnId}`.
    pub async fn send_event(&self, room: &str, kind: &str, txn: &str, content: Value) -> Answer {
        let path = format!(
            "/rooms/{}/send/{}/{}",
            encode(room),
            encode(kind),
            encode(txn)
        );
        self.put(&path, content).await
    }

    /// `PUT /rooms/{roomId}/state/{eventType}/{stateKey}`.
    pub async fn set_state(&self, room: &str, kind: &str, key: &str, content: Value) -> Answer {
        self.put(&state_path(room, kind, key), content).await
    }

    /// `GET /rooms/{roomId}/state/{eventType}/{stateKey}`.
    pub async fn state(&self, room: &str, kind: &str, key: &str) -> Answer {
        self.get(&state_path(room, kind, key)).await
    }

    /// Joins a room by its id or alias.
    pub async fn join(&self, room: &str) -> Answer {
        self.post(&format!("/join/{}", encode(room)), json!({}))
            .await
    }

    /// Invites another user.
    pub async fn invite(&self, room: &str, target: &Self) -> Answer {
        let path = format!("/rooms/{}/invite", encode(room));
        self.post(&path, json!({"user_id": target.id})).await
    }

    /// Leaves a room, or refuses an invite.
    pub async fn leave(&self, room: &str) -> Answer {
        self.post(&format!("/rooms/{}/leave", encode(room)), json!({}))
            .await
    }

    /// `GET /rooms/{roomId}/messages?{query}`.
    pub async fn messages(&self, room: &str, query: &str) -> Answer {
        self.get(&format!("/rooms/{}/messages?{query}", encode(room)))
            .await
    }

    /// `/sync` that does not wait: everything, or what is new since the token.
    pub async fn sync(&self, since: Option<&str>) -> Value {
        let since = since.map_or_else(String::new, |since| format!("since={}&", encode(since)));
        self.get(&format!("/sync?{since}timeout=0")).await.ok()
    }

    /// `/sync` that waits until there is something new, for at most this long.
    pub async fn sync_waiting(&self, since: &str, timeout_ms: u64) -> Value {
        let since = encode(since);
        self.get(&format!("/sync?since={since}&timeout={timeout_ms}"))
            .await
            .ok()
    }
}

fn state_path(room: &str, kind: &str, key: &str) -> String {
    format!(
        "/rooms/{}/state/{}/{}",
        encode(room),
        encode(kind),
        encode(key)
    )
}
