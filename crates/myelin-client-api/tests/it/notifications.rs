//! Unread counts in `/sync`, and `GET /_matrix/client/v3/notifications`

mod counts;
mod list;
mod purge;
mod random;

use myelin_testkit::{TestServer, User, encode};
use serde_json::{Value, json};

/// A room with alice and bob in it.
pub(crate) async fn room_of_two(server: &TestServer) -> (User, User, String) {
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    (alice, bob, room)
}

/// How many messages of a room are unread, and how many of them stand out.
pub(crate) async fn unread(user: &User, room: &str) -> (u64, u64) {
    let joined = room_in_sync(user, room, false).await;
    pair(&joined["unread_notifications"])
}

/// The same outside of threads, and for each thread that has some.
pub(crate) async fn unread_by_thread(user: &User, room: &str) -> Value {
    let joined = room_in_sync(user, room, true).await;
    let mut found = json!({"main": pair(&joined["unread_notifications"])});
    let threads = joined["unread_thread_notifications"].as_object();
    for (thread, counts) in threads.expect("threads were asked for") {
        found[thread] = json!(pair(counts));
    }
    found
}

pub(crate) async fn room_in_sync(user: &User, room: &str, by_thread: bool) -> Value {
    let filter = json!({"room": {
        "rooms": [room],
        "timeline": {"limit": 1, "unread_thread_notifications": by_thread},
        "state": {"types": []},
    }});
    let path = format!("/sync?filter={}", encode(&filter.to_string()));
    user.get(&path).await.ok()["rooms"]["join"][room].clone()
}

fn pair(counts: &Value) -> (u64, u64) {
    let count = |key: &str| counts[key].as_u64().expect("a count");
    (count("notification_count"), count("highlight_count"))
}

pub(crate) async fn send_content(user: &User, room: &str, txn: &str, content: Value) -> String {
    let sent = user.send_event(room, "m.room.message", txn, content).await;
    sent.ok()["event_id"].as_str().unwrap().to_owned()
}

/// A message that mentions a user.
pub(crate) fn mention(user: &User) -> Value {
    json!({"msgtype": "m.text", "body": "you", "m.mentions": {"user_ids": [user.id]}})
}

/// A message in a thread.
pub(crate) fn in_thread(root: &str) -> Value {
    json!({
        "msgtype": "m.text",
        "body": "in a thread",
        "m.relates_to": {"rel_type": "m.thread", "event_id": root},
    })
}

/// Reads up to an event: `kind` is `m.read` or `m.read.private`.
pub(crate) async fn read_up_to(
    user: &User,
    room: &str,
    (kind, thread): (&str, Option<&str>),
    event: &str,
) {
    let path = format!("/rooms/{}/receipt/{kind}/{}", encode(room), encode(event));
    let body = match thread {
        Some(thread) => json!({"thread_id": thread}),
        None => json!({}),
    };
    user.post(&path, body).await.ok();
}

pub(crate) async fn redact(user: &User, room: &str, event: &str) {
    let path = format!(
        "/rooms/{}/redact/{}/redact{}",
        encode(room),
        encode(event),
        encode(event)
    );
    user.put(&path, json!({})).await.ok();
}

/// Sets what a user wants to hear of a room.
pub(crate) async fn set_room_rule(user: &User, room: &str, actions: Value) {
    let path = format!("/pushrules/global/room/{}", encode(room));
    user.put(&path, json!({"actions": actions})).await.ok();
}

/// Sets whom a user ignores.
pub(crate) async fn ignore(user: &User, others: &[&User]) {
    let ignored = others.iter().map(|other| (other.id.clone(), json!({})));
    let ignored: serde_json::Map<String, Value> = ignored.collect();
    let path = format!(
        "/user/{}/account_data/m.ignored_user_list",
        encode(&user.id)
    );
    user.put(&path, json!({"ignored_users": ignored}))
        .await
        .ok();
}
