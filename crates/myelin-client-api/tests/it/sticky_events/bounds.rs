//! How many sticky events one answer tells of, and how many one sender may have in a room.

use std::time::Duration;

use myelin_testkit::{TestServer, User, encode, text, three_modes};
use serde_json::{Value, json};

use super::{KIND, QUERY, chat, ids, joined, stick, timeline, try_send};
use crate::delayed_events::ended;

three_modes!(
    many_are_told_over_several_answers,
    the_rest_waits_for_restarts_and_kills,
    what_happens_meanwhile_comes_behind_the_rest,
    who_begins_with_nothing_is_told_each_once,
    whoever_leaves_is_told_nothing_of_the_rest,
    a_short_timeline_loses_none_of_many,
    the_rest_ends_a_wait,
    a_sender_has_so_many_in_a_room,
    a_delayed_event_that_is_one_too_many_is_not_sent,
);

/// As many as one answer tells of, and as many as one sender may have in a room.
const MAX: usize = 100;
const HOUR_MS: u64 = 3_600_000;
/// For so long new ones of a sender count.
const SHOWN_WITHIN_MS: u64 = 600_000;

async fn stick_many(user: &User, room: &str, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(stick(user, room).await);
    }
    ids
}

/// What an answer tells of beside the timelines, in its order.
fn told(answer: &Value, rooms: &[&str]) -> Vec<String> {
    let rooms = rooms.iter();
    let sections = rooms.map(|room| ids(&joined(answer, room)["msc4354_sticky"]["events"]));
    sections.flatten().collect()
}

/// What one answer after the other tells of, until there is no more.
async fn told_in_turn(user: &User, rooms: &[&str], since: Option<&str>) -> Vec<Vec<String>> {
    let (mut all, mut since) = (Vec::new(), since.map(ToOwned::to_owned));
    loop {
        let answer = user.sync(since.as_deref()).await;
        since = Some(text(&answer, "next_batch"));
        let told = told(&answer, rooms);
        if told.is_empty() {
            return all;
        }
        all.push(told);
    }
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids
}

/// A public room in which three users have stuck 240 events that no timeline shows; the third of
/// them, what they have stuck, and a token of the third from before.
async fn full_room(server: &TestServer) -> (User, String, Vec<String>, String) {
    let users = [
        server.user("alice").await,
        server.user("bob").await,
        server.user("carol").await,
    ];
    let room = users[0].create_public_room().await;
    for user in &users[1..] {
        user.join(&room).await.ok();
    }
    let since = text(&users[2].sync(None).await, "next_batch");
    let mut all = Vec::new();
    for user in &users {
        all.extend(stick_many(user, &room, 80).await);
    }
    chat(&users[0], &room, 12).await;
    let [_, _, carol] = users;
    (carol, room, all, since)
}

async fn many_are_told_over_several_answers(server: &TestServer) {
    let (carol, room, all, since) = full_room(server).await;
    for since in [Some(&*since), None] {
        let answers = told_in_turn(&carol, &[&room], since).await;
        let counts: Vec<usize> = answers.iter().map(Vec::len).collect();
        assert_eq!(counts, [MAX, MAX, 40]);
        assert_eq!(answers.concat(), all, "each once, in their order");
    }
    // A poll that is repeated is answered alike.
    let first = carol.sync(Some(&since)).await;
    let since = text(&first, "next_batch");
    let second = told(&carol.sync(Some(&since)).await, &[&room]);
    assert_eq!(told(&carol.sync(Some(&since)).await, &[&room]), second);
    // Those whose time is over by then are not told.
    server.clock().advance(Duration::from_mins(5));
    assert!(
        told_in_turn(&carol, &[&room], Some(&since))
            .await
            .is_empty()
    );
}

async fn the_rest_waits_for_restarts_and_kills(server: &TestServer) {
    let (carol, room, all, since) = full_room(server).await;
    let mut found = Vec::new();
    let mut since = since;
    for round in 0..3 {
        let answer = carol.sync(Some(&since)).await;
        since = text(&answer, "next_batch");
        found.extend(told(&answer, &[&room]));
        if round == 0 {
            server.restart().await;
        } else {
            server.kill().await;
            server.start_again().await;
        }
    }
    assert_eq!(found, all);
    let answer = carol.sync(Some(&since)).await;
    assert!(told(&answer, &[&room]).is_empty());
}

/// Neither a room that the user joins meanwhile nor what others send comes before the rest, and the
/// client is told of each once, whether it has known the first room or nothing.
async fn what_happens_meanwhile_comes_behind_the_rest(server: &TestServer) {
    let (carol, full, old, since) = full_room(server).await;
    let dan = server.user("dan").await;
    let entered = dan.create_public_room().await;
    let early = stick_many(&dan, &entered, 60).await;
    chat(&dan, &entered, 12).await;
    let rooms = [&*full, &*entered];
    // The one knows the first room, and then joins the second; the other begins behind both.
    let first = carol.sync(Some(&since)).await;
    let mut found = told(&first, &rooms);
    assert_eq!(found, old[..MAX]);
    let since = text(&first, "next_batch");
    carol.join(&entered).await.ok();
    let beginning = carol.sync(None).await;
    dan.join(&full).await.ok();
    let late = stick_many(&dan, &full, 10).await;
    chat(&dan, &full, 12).await;

    let answers = told_in_turn(&carol, &rooms, Some(&since)).await;
    let counts: Vec<usize> = answers.iter().map(Vec::len).collect();
    assert_eq!(counts, [MAX, MAX, 10]);
    assert_eq!(answers[0], old[MAX..2 * MAX]);
    assert_eq!(answers[1], [&old[2 * MAX..], &early].concat());
    assert_eq!(answers[2], late);

    found = told(&beginning, &rooms);
    let since = text(&beginning, "next_batch");
    let answers = told_in_turn(&carol, &rooms, Some(&since)).await;
    let counts: Vec<usize> = answers.iter().map(Vec::len).collect();
    assert_eq!((found.len(), counts), (MAX, vec![MAX, MAX, 10]));
    found.extend(answers.concat());
    let all = sorted([old, early, late].concat());
    assert_eq!(sorted(found), all, "each once");
}

/// Also of the room that the user joined last, in which the first of all was said.
async fn who_begins_with_nothing_is_told_each_once(server: &TestServer) {
    let dan = server.user("dan").await;
    let entered = dan.create_public_room().await;
    let first = stick_many(&dan, &entered, 60).await;
    chat(&dan, &entered, 12).await;
    let (carol, full, old, _) = full_room(server).await;
    carol.join(&entered).await.ok();
    let answers = told_in_turn(&carol, &[&full, &entered], None).await;
    let counts: Vec<usize> = answers.iter().map(Vec::len).collect();
    assert_eq!(counts, [MAX, MAX, MAX]);
    assert_eq!(sorted(answers.concat()), sorted([first, old].concat()));
}

async fn whoever_leaves_is_told_nothing_of_the_rest(server: &TestServer) {
    let (carol, room, all, since) = full_room(server).await;
    let since = text(&carol.sync(Some(&since)).await, "next_batch");
    carol.leave(&room).await.ok();
    let answer = carol.sync(Some(&since)).await;
    assert!(answer["rooms"]["join"].get(&room).is_none(), "{answer}");
    assert!(answer["rooms"]["leave"].get(&room).is_some(), "{answer}");
    let since = text(&answer, "next_batch");
    carol.join(&room).await.ok();
    let answers = told_in_turn(&carol, &[&room], Some(&since)).await;
    assert_eq!(answers.concat(), all, "who is in again is told all");
}

/// What the timelines show of many is not told beside them, and what they do not show is.
async fn a_short_timeline_loses_none_of_many(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let mut all = stick_many(&alice, &room, 80).await;
    all.extend(stick_many(&bob, &room, 80).await);
    let (mut found, mut since) = (Vec::new(), None);
    loop {
        let answer = bob.sync(since.as_deref()).await;
        since = Some(text(&answer, "next_batch"));
        let beside = told(&answer, &[&room]);
        let shown = timeline(&answer, &room);
        assert!(beside.iter().all(|id| !shown.contains(id)));
        if beside.is_empty() && shown.is_empty() {
            break;
        }
        found.extend(beside);
        found.extend(shown);
    }
    found.retain(|id| all.contains(id));
    let mut found = sorted(found);
    found.dedup();
    assert_eq!(found, sorted(all));
}

async fn the_rest_ends_a_wait(server: &TestServer) {
    let (carol, room, all, since) = full_room(server).await;
    let since = text(&carol.sync(Some(&since)).await, "next_batch");
    // It would wait for longer than a test may take.
    let path = format!("/sync?since={}&timeout=120000", encode(&since));
    let answer = carol.get(&path).await.ok();
    assert_eq!(told(&answer, &[&room]), all[MAX..2 * MAX]);
}

async fn a_sender_has_so_many_in_a_room(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let hour = HOUR_MS.to_string();
    for number in 0..MAX {
        let txn = format!("each-{number}");
        try_send(&alice, &room, (&txn, &hour)).await.ok();
    }
    let refused = try_send(&alice, &room, ("more", &hour)).await;
    assert_eq!(refused.body["retry_after_ms"], SHOWN_WITHIN_MS);
    assert_eq!(refused.headers["retry-after"], "600");
    refused.refused(429, "M_LIMIT_EXCEEDED");
    let topic = format!("/rooms/{}/state/m.room.topic?{QUERY}={hour}", encode(&room));
    let content = json!({"topic": "sticky"});
    alice
        .put(&topic, content)
        .await
        .refused(429, "M_LIMIT_EXCEEDED");
    // What was sent already, is not sticky, or is elsewhere or of somebody else is not too much.
    try_send(&alice, &room, ("each-0", &hour)).await.ok();
    try_send(&alice, &room, ("none", "0")).await.ok();
    alice.send(&room, "not sticky").await;
    stick(&bob, &room).await;
    let other = alice.create_room().await;
    stick(&alice, &other).await;

    server
        .clock()
        .advance(Duration::from_millis(SHOWN_WITHIN_MS - 1));
    let refused = try_send(&alice, &room, ("more", &hour)).await;
    assert_eq!(refused.body["retry_after_ms"], 1);
    refused.refused(429, "M_LIMIT_EXCEEDED");
    server.clock().advance(Duration::from_millis(1));
    try_send(&alice, &room, ("more", &hour)).await.ok();
    // Nor do those count whose time is over.
    for _ in 1..MAX {
        stick(&alice, &room).await;
    }
    let refused = try_send(&alice, &room, ("again", &hour)).await;
    assert_eq!(refused.body["retry_after_ms"], 300_000);
    server.clock().advance(Duration::from_mins(5));
    try_send(&alice, &room, ("again", &hour)).await.ok();
}

async fn a_delayed_event_that_is_one_too_many_is_not_sent(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    stick_many(&alice, &room, MAX).await;
    let path = format!(
        "/rooms/{}/delayed_event/{KIND}/1?{QUERY}={HOUR_MS}",
        encode(&room)
    );
    let body = json!({"delay_ms": 1_000, "content": {}});
    let id = text(&alice.put(&path, body).await.ok(), "delay_id");
    let one = ended(server, &alice, &id).await;
    assert_eq!(one["error"]["errcode"], "M_LIMIT_EXCEEDED", "{one}");
    assert!(one["error"]["retry_after_ms"].is_u64(), "{one}");
    assert!(one.get("event_id").is_none());
}
