//! `GET /_matrix/client/v3/rooms/{roomId}/messages`

use myelin_testkit::{TestServer, User, encode, text, three_modes};
use serde_json::Value;
use serde_json::json;

three_modes!(
    pages_back_to_the_beginning_without_gap_or_repeat,
    pages_forward_to_the_end,
    begins_at_a_token_of_sync,
    shared_history_is_shown_from_the_beginning,
    members_alone_may_look,
    refuses_bad_parameters,
);

async fn pages_back_to_the_beginning_without_gap_or_repeat(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let mut sent = Vec::new();
    for number in 0..23 {
        sent.push(alice.send(&room, &number.to_string()).await);
    }
    let found = all_pages(&alice, &room, "dir=b&limit=5", None).await;
    assert_eq!(found.last().unwrap()["type"], "m.room.create");
    let mut messages = ids(found
        .iter()
        .filter(|event| event["type"] == "m.room.message"));
    messages.reverse();
    assert_eq!(messages, sent);
    let mut all = ids(found.iter());
    all.sort();
    all.dedup();
    assert_eq!(all.len(), found.len());
}

async fn pages_forward_to_the_end(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    for number in 0..8 {
        alice.send(&room, &number.to_string()).await;
    }
    let mut back = ids(all_pages(&alice, &room, "dir=b&limit=4", None).await.iter());
    back.reverse();
    let forward = ids(all_pages(&alice, &room, "dir=f&limit=4", None).await.iter());
    assert_eq!(forward, back);
}

async fn begins_at_a_token_of_sync(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let mut sent = Vec::new();
    for number in 0..30 {
        sent.push(alice.send(&room, &number.to_string()).await);
    }
    let timeline = alice.sync(None).await["rooms"]["join"][&room]["timeline"].clone();
    assert_eq!(timeline["limited"], true);
    let shown = ids(timeline["events"].as_array().unwrap().iter());
    let from = text(&timeline, "prev_batch");
    let mut older = ids(all_pages(&alice, &room, "dir=b&limit=7", Some(from))
        .await
        .iter());
    older.reverse();
    let joined = [older, shown].concat();
    assert_eq!(joined[joined.len() - sent.len()..], sent[..]);
}

async fn shared_history_is_shown_from_the_beginning(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    for visibility in ["world_readable", "shared"] {
        let setting = json!({
            "type": "m.room.history_visibility",
            "content": {"history_visibility": visibility},
        });
        let request = json!({"preset": "private_chat", "initial_state": [setting]});
        let room = alice.create_room_with(request).await;
        let first = alice.send(&room, "before the invite").await;
        alice.invite(&room, &bob).await.ok();
        bob.join(&room).await.ok();
        let found = ids(all_pages(&bob, &room, "dir=b&limit=5", None).await.iter());
        assert!(found.contains(&first), "{visibility}");
    }
}

async fn members_alone_may_look(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.messages(&room, "dir=b")
        .await
        .refused(403, "M_FORBIDDEN");
    alice.invite(&room, &bob).await.ok();
    bob.messages(&room, "dir=b")
        .await
        .refused(403, "M_FORBIDDEN");
    alice
        .messages("!nowhere:localhost", "dir=b")
        .await
        .refused(403, "M_FORBIDDEN");
}

async fn refuses_bad_parameters(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let message = alice
        .messages(&room, "")
        .await
        .refused(400, "M_MISSING_PARAM");
    assert!(message.contains("dir"), "{message}");
    for query in [
        "dir=x",
        "dir=b&limit=many",
        "dir=b&limit=-1",
        "dir=b&from=nonsense",
    ] {
        alice
            .messages(&room, query)
            .await
            .refused(400, "M_INVALID_PARAM");
    }
    // More than anybody gets is no error.
    alice.messages(&room, "dir=b&limit=100000").await.ok();
}

/// All events from the token on, page by page until there is no further token.
async fn all_pages(user: &User, room: &str, query: &str, from: Option<String>) -> Vec<Value> {
    let mut events = Vec::new();
    let mut from = from;
    loop {
        let query = from.map_or_else(
            || query.to_owned(),
            |from| format!("{query}&from={}", encode(&from)),
        );
        let mut page = user.messages(room, &query).await.ok();
        if let Some(chunk) = page["chunk"].as_array_mut() {
            events.append(chunk);
        }
        match page["end"].as_str() {
            Some(end) => from = Some(end.to_owned()),
            None => return events,
        }
        assert!(events.len() < 1_000, "pages without end");
    }
}

fn ids<'a>(events: impl Iterator<Item = &'a Value>) -> Vec<String> {
    events.map(|event| text(event, "event_id")).collect()
}
