//! `GET /_matrix/client/v3/rooms/{roomId}/messages`

use std::time::Duration;

use myelin_testkit::{TestServer, User, encode, text, three_modes};
use serde_json::Value;
use serde_json::json;

use crate::covers;

three_modes!(
    pages_back_to_the_beginning_without_gap_or_repeat,
    pages_forward_to_the_end,
    begins_at_a_token_of_sync,
    shared_history_is_shown_from_the_beginning,
    members_alone_may_look,
    refuses_bad_parameters,
    filters_what_is_shown,
    loads_members_lazily,
    stops_looking_after_a_thousand_events,
    shows_no_messages_of_ignored_users,
);

covers! {
    "GET /_matrix/client/v3/rooms/{roomId}/messages":
        works = pages_back_to_the_beginning_without_gap_or_repeat,
        400 = refuses_bad_parameters,
        403 = members_alone_may_look,
        outsider = members_alone_may_look;
}

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
        "dir=b&to=nonsense",
        "dir=b&filter=nonsense",
        "dir=b&filter=%5B%5D",
    ] {
        alice
            .messages(&room, query)
            .await
            .refused(400, "M_INVALID_PARAM");
    }
    // More than anybody gets is no error.
    alice.messages(&room, "dir=b&limit=100000").await.ok();
}

async fn filters_what_is_shown(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    alice.send(&room, "one").await;
    bob.send(&room, "two").await;
    let file = json!({"msgtype": "m.file", "body": "three", "url": "mxc://localhost/x"});
    bob.send_event(&room, "m.room.message", "file", file)
        .await
        .ok();
    bob.send_event(&room, "org.example.x", "x", json!({"body": "four"}))
        .await
        .ok();
    let only = json!({"types": ["m.room.message"]});
    for (filter, wanted) in [
        (only, "three two one"),
        (json!({"types": ["org.*"]}), "four"),
        (json!({"types": []}), ""),
        (json!({"not_types": ["m.room.*"]}), "four"),
        (
            json!({"senders": [bob.id], "not_types": ["m.room.member"]}),
            "four three two",
        ),
        (
            json!({"not_senders": [bob.id], "types": ["m.room.message"]}),
            "one",
        ),
        (json!({"contains_url": true}), "three"),
        (
            json!({"contains_url": false, "types": ["m.room.message"]}),
            "two one",
        ),
        (json!({"types": ["m.room.message"], "limit": 1}), "three"),
        (json!({"not_rooms": [room]}), ""),
        (json!({"rooms": ["!other:localhost"]}), ""),
    ] {
        let query = format!("dir=b&limit=20&filter={}", encode(&filter.to_string()));
        let page = alice.messages(&room, &query).await.ok();
        let chunk = page["chunk"].as_array().unwrap().iter();
        let found: Vec<_> = chunk.map(|event| text(&event["content"], "body")).collect();
        assert_eq!(found.join(" "), wanted, "{filter}");
    }
    // Pages of a filter neither repeat nor leave out.
    let filter = encode(&json!({"senders": [alice.id]}).to_string());
    let one_by_one = format!("dir=b&limit=1&filter={filter}");
    let found = all_pages(&alice, &room, &one_by_one, None).await;
    let at_once = alice
        .messages(&room, &format!("dir=b&limit=50&filter={filter}"))
        .await
        .ok();
    assert_eq!(
        ids(found.iter()),
        ids(at_once["chunk"].as_array().unwrap().iter())
    );
}

async fn loads_members_lazily(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let carol = server.user("carol").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    carol.join(&room).await.ok();
    bob.send(&room, "one").await;
    alice.send(&room, "two").await;
    let filter = encode(r#"{"lazy_load_members":true}"#);
    for (limit, wanted) in [(1, vec![&alice.id]), (2, vec![&alice.id, &bob.id])] {
        let query = format!("dir=b&limit={limit}&filter={filter}");
        let page = alice.messages(&room, &query).await.ok();
        let state = page["state"].as_array().unwrap().iter();
        let mut found: Vec<_> = state.map(|event| text(event, "state_key")).collect();
        found.sort();
        assert_eq!(found.iter().collect::<Vec<_>>(), wanted);
    }
    let page = alice.messages(&room, "dir=b").await.ok();
    assert!(page.get("state").is_none());
}

async fn stops_looking_after_a_thousand_events(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let first = alice.send(&room, "needle").await;
    for _ in 0..1_100 {
        let content = json!({"body": "hay"});
        let txn = server.now_ms().to_string();
        server.clock().advance(Duration::from_millis(1));
        let answer = alice
            .send_event(&room, "org.example.hay", &txn, content)
            .await;
        answer.ok();
    }
    let stores = server.stores();
    let rows = || -> u64 { stores.iter().map(|store| store.counts().rows_read).sum() };
    let filter = encode(r#"{"types":["m.room.message"]}"#);
    let query = format!("dir=b&filter={filter}");
    server.counted().await;
    let before = rows();
    let page = alice.messages(&room, &query).await.ok();
    assert!(rows() - before < 1_300, "{}", rows() - before);
    assert_eq!(page["chunk"], json!([]));
    let query = format!("{query}&from={}", encode(&text(&page, "end")));
    let page = alice.messages(&room, &query).await.ok();
    assert_eq!(ids(page["chunk"].as_array().unwrap().iter()), [first]);
}

async fn shows_no_messages_of_ignored_users(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    bob.send(&room, "ignored").await;
    let path = format!(
        "/user/{}/account_data/m.ignored_user_list",
        encode(&alice.id)
    );
    let list = json!({"ignored_users": {&bob.id: {}, "@never:seen": {}}});
    alice.put(&path, list).await.ok();
    let page = alice.messages(&room, "dir=b&limit=1").await.ok();
    assert_eq!(page["chunk"][0]["type"], "m.room.member");
    let page = bob.messages(&room, "dir=b&limit=1").await.ok();
    assert_eq!(page["chunk"][0]["content"]["body"], "ignored");
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
