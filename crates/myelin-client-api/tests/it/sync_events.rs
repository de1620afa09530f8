//! `GET /_matrix/client/v3/sync`

mod account_data;
mod filters;
mod lazy_loading;
mod rooms_left;
mod state;
mod summary;
mod timelines;
mod unsigned;
mod visibility;
mod waiting;

use myelin_testkit::{TestServer, User, encode, text, three_modes};
use serde_json::{Value, json};

use crate::covers;

covers! {
    "GET /_matrix/client/v3/sync":
        works = the_first_shows_rooms_with_state_and_timeline,
        400 = refuses_bad_parameters;
}

three_modes!(
    the_first_shows_rooms_with_state_and_timeline,
    each_change_comes_once_and_in_order,
    nothing_new_is_nothing,
    waits_for_what_comes_next,
    waits_no_longer_than_asked,
    a_room_joined_later_comes_whole,
    an_invite_shows_what_it_is_to,
    leaving_ends_it,
    many_messages_are_cut_with_a_way_back,
    a_state_change_behind_a_gap_is_in_the_state,
    shows_nothing_of_others,
    refuses_bad_parameters,
);

async fn the_first_shows_rooms_with_state_and_timeline(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room_with(json!({"name": "Kitchen"})).await;
    let sent = alice.send(&room, "hello").await;
    let sync = alice.sync(None).await;
    let joined = &sync["rooms"]["join"][&room];
    let timeline = events(&joined["timeline"]);
    assert_eq!(timeline.last().unwrap()["event_id"], sent);
    assert!(
        timeline.iter().all(|event| event.get("room_id").is_none()),
        "{sync}"
    );
    let state = events(&joined["state"]);
    let all: Vec<&Value> = state.iter().chain(&timeline).collect();
    for kind in [
        "m.room.create",
        "m.room.member",
        "m.room.power_levels",
        "m.room.name",
    ] {
        let number = all.iter().filter(|event| event["type"] == kind).count();
        assert_eq!(number, 1, "{kind} in {sync}");
    }
}

async fn each_change_comes_once_and_in_order(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let mut since = text(&bob.sync(None).await, "next_batch");
    let mut sent = Vec::new();
    let mut found = Vec::new();
    for number in 0..12 {
        let sender = if number % 2 == 0 { &alice } else { &bob };
        sent.push(sender.send(&room, &number.to_string()).await);
        if number % 3 == 0 {
            let sync = bob.sync(Some(&since)).await;
            found.extend(timeline_ids(&sync, &room));
            since = text(&sync, "next_batch");
        }
    }
    found.extend(timeline_ids(&bob.sync(Some(&since)).await, &room));
    assert_eq!(found, sent);
}

async fn nothing_new_is_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    alice.send(&room, "hello").await;
    let since = text(&alice.sync(None).await, "next_batch");
    for _ in 0..3 {
        let sync = alice.sync(Some(&since)).await;
        assert!(sync["rooms"]["join"].get(&room).is_none(), "{sync}");
        assert_eq!(position(&text(&sync, "next_batch")), position(&since));
    }
}

async fn waits_for_what_comes_next(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    // Several times, so that each node waits while the other one sends.
    for number in 0..4 {
        let since = text(&bob.sync(None).await, "next_batch");
        let waiting = bob.sync_waiting(&since, 15_000);
        let body = number.to_string();
        let (sync, sent) = tokio::join!(waiting, alice.send(&room, &body));
        assert_eq!(timeline_ids(&sync, &room), [sent]);
    }
    let since = text(&bob.sync(None).await, "next_batch");
    let (sync, new_room) = tokio::join!(bob.sync_waiting(&since, 15_000), async {
        alice.create_room_with(json!({"invite": [bob.id]})).await
    });
    assert!(sync["rooms"]["invite"].get(&new_room).is_some(), "{sync}");
}

async fn waits_no_longer_than_asked(server: &TestServer) {
    let alice = server.user("alice").await;
    alice.create_room().await;
    let since = text(&alice.sync(None).await, "next_batch");
    let sync = alice.sync_waiting(&since, 50).await;
    assert_eq!(position(&text(&sync, "next_batch")), position(&since));
}

async fn a_room_joined_later_comes_whole(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice
        .create_room_with(json!({"preset": "public_chat", "name": "Kitchen"}))
        .await;
    for number in 0..30 {
        alice.send(&room, &number.to_string()).await;
    }
    let since = text(&bob.sync(None).await, "next_batch");
    bob.join(&room).await.ok();
    let sync = bob.sync(Some(&since)).await;
    let joined = &sync["rooms"]["join"][&room];
    let state = events(&joined["state"]);
    for kind in ["m.room.create", "m.room.name", "m.room.power_levels"] {
        assert!(
            state.iter().any(|event| event["type"] == kind),
            "{kind} in {sync}"
        );
    }
    let own = events(&joined["timeline"]).pop().unwrap();
    assert_eq!(
        (text(&own, "type"), text(&own, "state_key")),
        ("m.room.member".to_owned(), bob.id)
    );
}

async fn an_invite_shows_what_it_is_to(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_room_with(json!({"name": "Kitchen"})).await;
    let since = text(&bob.sync(None).await, "next_batch");
    alice.invite(&room, &bob).await.ok();
    for since in [None, Some(since.as_str())] {
        let sync = bob.sync(since).await;
        assert!(sync["rooms"]["join"].get(&room).is_none(), "{sync}");
        let state = events(&sync["rooms"]["invite"][&room]["invite_state"]);
        let own = state
            .iter()
            .find(|event| event["state_key"] == bob.id)
            .unwrap();
        assert_eq!(own["content"]["membership"], "invite");
        assert_eq!(own["sender"], alice.id);
        for kind in ["m.room.create", "m.room.join_rules", "m.room.name"] {
            assert!(
                state.iter().any(|event| event["type"] == kind),
                "{kind} in {sync}"
            );
        }
    }
    let since = text(&bob.sync(None).await, "next_batch");
    bob.join(&room).await.ok();
    let sync = bob.sync(Some(&since)).await;
    assert!(sync["rooms"]["join"].get(&room).is_some(), "{sync}");
    assert!(sync["rooms"]["invite"].get(&room).is_none(), "{sync}");
}

async fn leaving_ends_it(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let since = text(&bob.sync(None).await, "next_batch");
    bob.leave(&room).await.ok();
    alice.send(&room, "he is gone").await;
    let sync = bob.sync(Some(&since)).await;
    assert!(sync["rooms"]["join"].get(&room).is_none(), "{sync}");
    assert!(!sync.to_string().contains("he is gone"), "{sync}");
    assert!(bob.sync(None).await["rooms"]["join"].get(&room).is_none());
}

async fn many_messages_are_cut_with_a_way_back(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let since = text(&alice.sync(None).await, "next_batch");
    let mut sent = Vec::new();
    for number in 0..40 {
        sent.push(alice.send(&room, &number.to_string()).await);
    }
    let sync = alice.sync(Some(&since)).await;
    let timeline = &sync["rooms"]["join"][&room]["timeline"];
    assert_eq!(timeline["limited"], true, "{sync}");
    let found = timeline_ids(&sync, &room);
    assert_eq!(found, sent[sent.len() - found.len()..]);
    assert!(timeline["prev_batch"].is_string(), "{sync}");
}

async fn a_state_change_behind_a_gap_is_in_the_state(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let since = text(&alice.sync(None).await, "next_batch");
    alice
        .set_state(&room, "m.room.topic", "", json!({"topic": "new"}))
        .await
        .ok();
    for number in 0..40 {
        alice.send(&room, &number.to_string()).await;
    }
    let sync = alice.sync(Some(&since)).await;
    let state = events(&sync["rooms"]["join"][&room]["state"]);
    let kinds: Vec<&str> = state
        .iter()
        .filter_map(|event| event["type"].as_str())
        .collect();
    assert_eq!(kinds, ["m.room.topic"], "only what changed: {sync}");
}

async fn shows_nothing_of_others(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let since = text(&bob.sync(None).await, "next_batch");
    let room = alice.create_public_room().await;
    alice.send(&room, "hello").await;
    for since in [None, Some(since.as_str())] {
        let sync = bob.sync(since).await;
        assert!(!sync.to_string().contains(&room), "{sync}");
    }
}

async fn refuses_bad_parameters(server: &TestServer) {
    let alice = server.user("alice").await;
    for query in [
        "timeout=soon",
        "timeout=-1",
        "since=nonsense",
        "full_state=maybe",
        "use_state_after=1",
        "set_presence=asleep",
        "filter=unknown",
        "filter=%7B",
        "filter=%7B%22room%22:%5B%5D%7D",
        "filter=%7B%22event_format%22:%22xml%22%7D",
        "since=s1_0_0&since=s2_0_0",
    ] {
        alice
            .get(&format!("/sync?{query}"))
            .await
            .refused(400, "M_INVALID_PARAM");
    }
}

/// `/sync` with parameters beside the token.
async fn sync_with(user: &User, since: Option<&str>, query: &str) -> Value {
    let since = since.map_or_else(String::new, |since| format!("since={}&", encode(since)));
    user.get(&format!("/sync?{since}{query}")).await.ok()
}

/// `/sync` with a filter written out.
async fn sync_filtered(user: &User, since: Option<&str>, filter: Value) -> Value {
    let query = format!("filter={}", encode(&filter.to_string()));
    sync_with(user, since, &query).await
}

async fn next_batch(user: &User) -> String {
    text(&user.sync(None).await, "next_batch")
}

fn events(part: &Value) -> Vec<Value> {
    part["events"].as_array().cloned().unwrap_or_default()
}

/// The types of events, each with its state key where it has one: `m.room.topic/`.
fn kinds(part: &Value) -> Vec<String> {
    let events = events(part);
    let kind = |event: &Value| match event["state_key"].as_str() {
        Some(key) => format!("{}/{key}", text(event, "type")),
        None => text(event, "type"),
    };
    events.iter().map(kind).collect()
}

fn ids(part: &Value) -> Vec<String> {
    let events = events(part);
    events.iter().map(|event| text(event, "event_id")).collect()
}

fn timeline_ids(sync: &Value, room: &str) -> Vec<String> {
    ids(&sync["rooms"]["join"][room]["timeline"])
}

/// The part of a token that is the position in the log: who polls comes online, which the rest
/// may tell.
fn position(token: &str) -> &str {
    token.split('_').next().unwrap()
}
