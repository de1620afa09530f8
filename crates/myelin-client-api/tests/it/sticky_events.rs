//! Sticky events (MSC4354): `msc4354_sticky` in events and in `/sync`.

use std::time::Duration;

use myelin_testkit::{Answer, TestServer, User, encode, text, three_modes};
use serde_json::{Value, json};

use crate::delayed_events::{STABLE, ended};

mod bounds;

three_modes!(
    an_event_says_that_it_is_sticky,
    state_can_be_sticky_too,
    it_is_told_beside_a_timeline_that_does_not_reach_it,
    it_is_told_where_the_timeline_leaves_it_out,
    it_ends_a_wait_that_its_timeline_would_not,
    who_joins_is_told_all_that_is_sticky,
    members_read_what_is_sticky_while_it_is,
    its_time_is_over_in_the_end,
    odd_durations_are_refused,
    a_redacted_event_is_sticky_no_more,
    ignored_users_are_not_told_of,
    what_was_missed_while_a_user_was_ignored_needs_a_fresh_sync,
    a_delayed_event_is_sticky_once_it_is_sent,
    what_only_repeats_the_state_is_sticky_all_the_same,
    the_feature_is_told,
);

const KIND: &str = "org.example.sticky";
const QUERY: &str = "org.matrix.msc4354.sticky_duration_ms";
/// As long as clients make them.
const MINUTES: u64 = 300_000;

async fn try_send(user: &User, room: &str, (txn, duration): (&str, &str)) -> Answer {
    let path = format!(
        "/rooms/{}/send/{KIND}/{txn}?{QUERY}={duration}",
        encode(room)
    );
    user.put(&path, json!({"txn": txn})).await
}

/// Sends a sticky event; its id.
async fn stick(user: &User, room: &str) -> String {
    let txn = user.new_txn_id();
    let sent = try_send(user, room, (&txn, &MINUTES.to_string())).await;
    text(&sent.ok(), "event_id")
}

fn joined<'a>(answer: &'a Value, room: &str) -> &'a Value {
    &answer["rooms"]["join"][room]
}

fn ids(events: &Value) -> Vec<String> {
    let events = events.as_array().into_iter().flatten();
    events.map(|event| text(event, "event_id")).collect()
}

/// The ids in the section of sticky events, sorted.
fn sticky(answer: &Value, room: &str) -> Vec<String> {
    let mut ids = ids(&joined(answer, room)["msc4354_sticky"]["events"]);
    ids.sort();
    ids
}

fn timeline(answer: &Value, room: &str) -> Vec<String> {
    ids(&joined(answer, room)["timeline"]["events"])
}

async fn chat(user: &User, room: &str, count: usize) {
    for number in 0..count {
        user.send(room, &number.to_string()).await;
    }
}

async fn an_event_says_that_it_is_sticky(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let since = text(&bob.sync(None).await, "next_batch");
    let id = stick(&alice, &room).await;
    server.clock().advance(Duration::from_mins(1));
    let answer = bob.sync(Some(&since)).await;
    assert_eq!(timeline(&answer, &room), [&*id]);
    assert!(sticky(&answer, &room).is_empty(), "it is told once");
    let page = bob.messages(&room, "dir=b&limit=1").await.ok();
    for event in [
        &joined(&answer, &room)["timeline"]["events"][0],
        &page["chunk"][0],
    ] {
        assert_eq!(event["event_id"], id);
        assert_eq!(event["msc4354_sticky"], json!({"duration_ms": MINUTES}));
        let left = &event["unsigned"]["msc4354_sticky_duration_ttl_ms"];
        assert_eq!(*left, MINUTES - 60_000, "{event}");
    }
}

async fn state_can_be_sticky_too(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let path = format!(
        "/rooms/{}/state/m.room.topic?{QUERY}={MINUTES}",
        encode(&room)
    );
    let sent = alice.put(&path, json!({"topic": "sticky"})).await.ok();
    chat(&alice, &room, 12).await;
    let answer = alice.sync(None).await;
    assert_eq!(sticky(&answer, &room), [text(&sent, "event_id")]);
    let event = &joined(&answer, &room)["msc4354_sticky"]["events"][0];
    assert_eq!(event["state_key"], "");
}

async fn it_is_told_beside_a_timeline_that_does_not_reach_it(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let since = text(&bob.sync(None).await, "next_batch");
    let first = stick(&alice, &room).await;
    chat(&alice, &room, 12).await;
    let second = stick(&alice, &room).await;
    server.clock().advance(Duration::from_mins(1));
    let answer = bob.sync(Some(&since)).await;
    assert_eq!(sticky(&answer, &room), [&*first]);
    assert!(timeline(&answer, &room).contains(&second));
    let event = &joined(&answer, &room)["msc4354_sticky"]["events"][0];
    assert_eq!(event["msc4354_sticky"], json!({"duration_ms": MINUTES}));
    assert_eq!(event["sender"], alice.id);
    let left = &event["unsigned"]["msc4354_sticky_duration_ttl_ms"];
    assert_eq!(*left, MINUTES - 60_000);
    // Told once, whatever comes next.
    let since = text(&answer, "next_batch");
    alice.send(&room, "more").await;
    let answer = bob.sync(Some(&since)).await;
    assert_eq!(timeline(&answer, &room).len(), 1);
    assert!(joined(&answer, &room).get("msc4354_sticky").is_none());
    // A client that knows nothing is told of both.
    let answer = bob.sync(None).await;
    assert_eq!(sticky(&answer, &room), [&*first]);
    assert!(timeline(&answer, &room).contains(&second));
}

async fn it_is_told_where_the_timeline_leaves_it_out(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let since = text(&alice.sync(None).await, "next_batch");
    let id = stick(&alice, &room).await;
    let filter = json!({"room": {"timeline": {"not_types": [KIND]}}}).to_string();
    for since in ["", &format!("since={}&", encode(&since))] {
        let path = format!("/sync?{since}timeout=0&filter={}", encode(&filter));
        let answer = alice.get(&path).await.ok();
        assert_eq!(sticky(&answer, &room), [&*id]);
        assert!(!timeline(&answer, &room).contains(&id));
    }
}

async fn it_ends_a_wait_that_its_timeline_would_not(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let since = text(&alice.sync(None).await, "next_batch");
    let filter = json!({"room": {"timeline": {"types": []}, "state": {"types": []}}});
    let filter = encode(&filter.to_string());
    let path = format!(
        "/sync?since={}&timeout=60000&filter={filter}",
        encode(&since)
    );
    let (answer, id) = tokio::join!(alice.get(&path), stick(&alice, &room));
    assert_eq!(sticky(&answer.ok(), &room), [id]);
}

async fn who_joins_is_told_all_that_is_sticky(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    let visibility = json!({"history_visibility": "joined"});
    alice
        .set_state(&room, "m.room.history_visibility", "", visibility)
        .await
        .ok();
    let since = text(&bob.sync(None).await, "next_batch");
    let mut ids = [stick(&alice, &room).await, stick(&alice, &room).await];
    ids.sort();
    chat(&alice, &room, 3).await;
    assert!(
        sticky(&bob.sync(None).await, &room).is_empty(),
        "outside nothing is told"
    );
    bob.join(&room).await.ok();
    for since in [Some(&*since), None] {
        let answer = bob.sync(since).await;
        assert_eq!(
            sticky(&answer, &room),
            ids,
            "whatever the history's visibility is"
        );
        assert!(!timeline(&answer, &room).contains(&ids[0]));
    }
    let next = text(&bob.sync(Some(&since)).await, "next_batch");
    assert!(sticky(&bob.sync(Some(&next)).await, &room).is_empty());
    bob.leave(&room).await.ok();
    let last = stick(&alice, &room).await;
    let mut all = ids.to_vec();
    all.push(last);
    all.sort();
    bob.join(&room).await.ok();
    // A client may have forgotten what it knew of a room that it was told the user has left.
    assert_eq!(sticky(&bob.sync(Some(&next)).await, &room), all);
    let next = text(&bob.sync(Some(&next)).await, "next_batch");
    let name = json!({"membership": "join", "displayname": "Bobby"});
    bob.set_state(&room, "m.room.member", &bob.id, name)
        .await
        .ok();
    let answer = bob.sync(Some(&next)).await;
    assert_eq!(timeline(&answer, &room).len(), 1);
    assert!(
        sticky(&answer, &room).is_empty(),
        "a new name lets nobody in"
    );
}

async fn members_read_what_is_sticky_while_it_is(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    let visibility = json!({"history_visibility": "joined"});
    alice
        .set_state(&room, "m.room.history_visibility", "", visibility)
        .await
        .ok();
    let id = stick(&alice, &room).await;
    let other = alice.send(&room, "not sticky").await;
    let read = async |id: &str| {
        bob.get(&format!("/rooms/{}/event/{}", encode(&room), encode(id)))
            .await
    };
    read(&id).await.refused(404, "M_NOT_FOUND");
    bob.join(&room).await.ok();
    let event = read(&id).await.ok();
    assert_eq!(event["content"], json!({"txn": event["content"]["txn"]}));
    assert_eq!(event["unsigned"]["msc4354_sticky_duration_ttl_ms"], MINUTES);
    assert_eq!(event["unsigned"]["membership"], "leave");
    read(&other).await.refused(404, "M_NOT_FOUND");
    bob.leave(&room).await.ok();
    read(&id).await.refused(404, "M_NOT_FOUND");
    bob.join(&room).await.ok();
    server.clock().advance(Duration::from_millis(MINUTES));
    read(&id).await.refused(404, "M_NOT_FOUND");
}

async fn its_time_is_over_in_the_end(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let since = text(&alice.sync(None).await, "next_batch");
    let id = stick(&alice, &room).await;
    chat(&alice, &room, 12).await;
    server.clock().advance(Duration::from_millis(MINUTES - 1));
    assert_eq!(sticky(&alice.sync(None).await, &room), [&*id]);
    assert_eq!(sticky(&alice.sync(Some(&since)).await, &room), [&*id]);
    server.clock().advance(Duration::from_millis(1));
    for _ in 0..2 {
        for since in [None, Some(&*since)] {
            let answer = alice.sync(since).await;
            assert!(joined(&answer, &room).get("msc4354_sticky").is_none());
        }
        server.rooms().delete_expired_stickiness().await.unwrap();
    }
    let path = format!("/rooms/{}/event/{}", encode(&room), encode(&id));
    let event = alice.get(&path).await.ok();
    assert_eq!(
        event["msc4354_sticky"],
        json!({"duration_ms": MINUTES}),
        "it said so"
    );
    let left = event["unsigned"].get("msc4354_sticky_duration_ttl_ms");
    assert!(left.is_none(), "{event}");
}

async fn odd_durations_are_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    for duration in ["", "-1", "1.5", "long", "3600001", "99999999999999999999"] {
        let answer = try_send(&alice, &room, ("1", duration)).await;
        answer.refused(400, "M_INVALID_PARAM");
    }
    let state = format!(
        "/rooms/{}/state/m.room.topic?{QUERY}=3600001",
        encode(&room)
    );
    alice
        .put(&state, json!({"topic": "x"}))
        .await
        .refused(400, "M_INVALID_PARAM");
    let delayed = format!("/rooms/{}/delayed_event/{KIND}/1?{QUERY}=x", encode(&room));
    let body = json!({"delay_ms": 1, "content": {}});
    alice
        .put(&delayed, body)
        .await
        .refused(400, "M_INVALID_PARAM");
    let hour = text(
        &try_send(&alice, &room, ("2", "3600000")).await.ok(),
        "event_id",
    );
    try_send(&alice, &room, ("3", "0")).await.ok();
    chat(&alice, &room, 12).await;
    assert_eq!(sticky(&alice.sync(None).await, &room), [hour]);
}

async fn a_redacted_event_is_sticky_no_more(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let since = text(&alice.sync(None).await, "next_batch");
    let (redacted, other) = (stick(&alice, &room).await, stick(&alice, &room).await);
    let path = format!("/rooms/{}/redact/{}/1", encode(&room), encode(&redacted));
    alice.put(&path, json!({})).await.ok();
    chat(&alice, &room, 12).await;
    for since in [None, Some(&*since)] {
        assert_eq!(sticky(&alice.sync(since).await, &room), [&*other]);
    }
    let path = format!("/rooms/{}/event/{}", encode(&room), encode(&redacted));
    let event = alice.get(&path).await.ok();
    assert!(event.get("msc4354_sticky").is_none(), "{event}");
}

async fn ignored_users_are_not_told_of(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let path = format!("/user/{}/account_data/m.ignored_user_list", encode(&bob.id));
    bob.put(&path, json!({"ignored_users": {&alice.id: {}}}))
        .await
        .ok();
    let since = text(&bob.sync(None).await, "next_batch");
    let (_, own) = (stick(&alice, &room).await, stick(&bob, &room).await);
    chat(&bob, &room, 12).await;
    for since in [None, Some(&*since)] {
        assert_eq!(sticky(&bob.sync(since).await, &room), [&*own]);
    }
}

/// Spec: "Ignoring Users", of all events.
async fn what_was_missed_while_a_user_was_ignored_needs_a_fresh_sync(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let path = format!("/user/{}/account_data/m.ignored_user_list", encode(&bob.id));
    let ignore = async |users: Value| {
        let list = json!({"ignored_users": users});
        bob.put(&path, list).await.ok();
    };
    ignore(json!({&alice.id: {}})).await;
    let missed = stick(&alice, &room).await;
    chat(&bob, &room, 12).await;
    let since = text(&bob.sync(None).await, "next_batch");
    ignore(json!({})).await;
    let seen = stick(&alice, &room).await;
    chat(&bob, &room, 12).await;
    assert_eq!(sticky(&bob.sync(Some(&since)).await, &room), [&*seen]);
    let mut both = [missed, seen];
    both.sort();
    assert_eq!(sticky(&bob.sync(None).await, &room), both);
}

async fn a_delayed_event_is_sticky_once_it_is_sent(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let room_path = encode(&room);
    let query = format!("org.matrix.msc4140.delay=60000&{QUERY}={MINUTES}");
    let by_query = format!("/rooms/{room_path}/send/{KIND}/1?{query}");
    let by_body = format!("/rooms/{room_path}/delayed_event/{KIND}/2?{QUERY}={MINUTES}");
    let body = json!({"delay_ms": 60_000, "content": {}});
    for answer in [
        alice.put(&by_query, json!({})).await,
        alice.put(&by_body, body).await,
    ] {
        let id = text(&answer.ok(), "delay_id");
        let sent = ended(server, &alice, &id).await;
        let path = format!(
            "/rooms/{room_path}/event/{}",
            encode(&text(&sent, "event_id"))
        );
        let event = alice.get(&path).await.ok();
        assert_eq!(event["msc4354_sticky"], json!({"duration_ms": MINUTES}));
        let since_then = server.now_ms() - event["origin_server_ts"].as_u64().unwrap();
        let left = &event["unsigned"]["msc4354_sticky_duration_ttl_ms"];
        assert_eq!(*left, MINUTES - since_then);
    }
    assert_eq!(alice.get(STABLE).await.ok()["delayed_events"], json!([]));
}

async fn what_only_repeats_the_state_is_sticky_all_the_same(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let path = format!("/rooms/{}/state/m.room.topic", encode(&room));
    let mut ids = Vec::new();
    for query in ["", QUERY, QUERY, ""] {
        let path = if query.is_empty() {
            path.clone()
        } else {
            format!("{path}?{query}={MINUTES}")
        };
        let sent = alice.put(&path, json!({"topic": "the same"})).await.ok();
        ids.push(text(&sent, "event_id"));
    }
    assert_ne!(ids[0], ids[1]);
    assert_ne!(ids[1], ids[2], "its time begins anew");
    assert_eq!(ids[2], ids[3], "what is not sticky is not said twice");
    chat(&alice, &room, 12).await;
    ids.drain(..1);
    ids.pop();
    ids.sort();
    assert_eq!(sticky(&alice.sync(None).await, &room), ids);
}

async fn the_feature_is_told(server: &TestServer) {
    let versions = server.get("/_matrix/client/versions").await.ok();
    assert_eq!(versions["unstable_features"]["org.matrix.msc4354"], true);
}
