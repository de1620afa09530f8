//! `GET /_matrix/client/v3/notifications`

use myelin_testkit::{TestServer, User, text, three_modes};
use serde_json::{Value, json};

use super::{mention, read_up_to, redact, room_of_two, send_content, set_room_rule};
use crate::covers;

three_modes!(
    notifications_are_listed,
    pages_follow_each_other,
    what_nobody_has_counted_yet_is_listed,
    only_highlights_are_listed,
    invitations_notify,
    what_is_not_ours_is_not_listed,
    bad_parameters_are_refused,
);

covers! {
    "GET /_matrix/client/v3/notifications":
        works = notifications_are_listed;
}

async fn list(user: &User, query: &str) -> Value {
    user.get(&format!("/notifications{query}")).await.ok()
}

fn ids(page: &Value) -> Vec<String> {
    let notifications = page["notifications"].as_array().unwrap().iter();
    notifications
        .map(|one| text(&one["event"], "event_id"))
        .collect()
}

async fn notifications_are_listed(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    assert_eq!(list(&bob, "").await, json!({"notifications": []}));
    let first = alice.send(&room, "one").await;
    let second = send_content(&alice, &room, "a", mention(&bob)).await;
    bob.send(&room, "mine").await;
    let third = alice.send(&room, "three").await;
    server.counted().await;
    let page = list(&bob, "").await;
    assert_eq!(ids(&page), [third.clone(), second, first.clone()]);
    assert_eq!(page.get("next_token"), None);
    let newest = &page["notifications"][0];
    assert_eq!(newest["room_id"], room);
    assert_eq!(newest["event"]["content"]["body"], "three");
    assert_eq!(newest["event"]["sender"], alice.id);
    let sound = json!(["notify", {"set_tweak": "sound", "value": "default"}]);
    assert_eq!(newest["actions"], sound);
    assert!(newest["ts"].is_u64(), "{newest}");
    let read = |page: &Value| -> Vec<bool> {
        let all = page["notifications"].as_array().unwrap().iter();
        all.map(|one| one["read"].as_bool().unwrap()).collect()
    };
    // Bob has said something after the second one.
    assert_eq!(read(&page), [false, true, true]);
    read_up_to(&bob, &room, ("m.read", None), &third).await;
    assert_eq!(read(&list(&bob, "").await), [true, true, true]);
    redact(&alice, &room, &first).await;
    assert_eq!(ids(&list(&bob, "").await).len(), 2);
}

async fn pages_follow_each_other(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let other = alice.create_public_room().await;
    bob.join(&other).await.ok();
    let mut sent = Vec::new();
    for number in 0..7 {
        server
            .clock()
            .advance(std::time::Duration::from_millis(5 * (number % 2)));
        let room = if number % 3 == 0 { &other } else { &room };
        sent.push(alice.send(room, "hello").await);
        server.counted().await;
    }
    let (mut found, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let page = list(&bob, &query).await;
        assert!(ids(&page).len() <= 2, "{page}");
        found.extend(ids(&page));
        let Some(next) = page["next_token"].as_str() else {
            break;
        };
        query = format!("?limit=2&from={next}");
    }
    let whole = ids(&list(&bob, "").await);
    assert_eq!(found, whole);
    found.sort();
    sent.sort();
    assert_eq!(found, sent);
}

async fn what_nobody_has_counted_yet_is_listed(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let first = alice.send(&room, "one").await;
    server.counted().await;
    server.stop_counting().await;
    let read = alice.send(&room, "two").await;
    bob.send(&room, "mine").await;
    let gone = alice.send(&room, "gone").await;
    redact(&alice, &room, &gone).await;
    let mentioned = send_content(&alice, &room, "a", mention(&bob)).await;
    let other = alice.create_public_room().await;
    bob.join(&other).await.ok();
    let elsewhere = alice.send(&other, "three").await;
    let page = list(&bob, "").await;
    let listed = page["notifications"].as_array().unwrap();
    let is_read = |id: &String| {
        let mut found = listed.iter().filter(|one| one["event"]["event_id"] == **id);
        let one = found.next().expect("it is listed");
        assert_eq!(found.next(), None, "it is listed once");
        one["read"].as_bool().unwrap()
    };
    let all = [&first, &read, &mentioned, &elsewhere];
    assert_eq!(listed.len(), all.len());
    assert_eq!(all.map(is_read), [true, true, false, false]);
    assert_eq!(ids(&list(&bob, "?only=highlight").await), [mentioned]);
    // One by one, they come in the same order.
    let mut one_by_one = Vec::new();
    let mut query = "?limit=1".to_owned();
    loop {
        let next = list(&bob, &query).await;
        one_by_one.extend(ids(&next));
        let Some(token) = next["next_token"].as_str() else {
            break;
        };
        query = format!("?limit=1&from={token}");
    }
    assert_eq!(one_by_one, ids(&page));
}

async fn only_highlights_are_listed(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    alice.send(&room, "one").await;
    let mentioned = send_content(&alice, &room, "a", mention(&bob)).await;
    alice.send(&room, "three").await;
    server.counted().await;
    assert_eq!(ids(&list(&bob, "?only=highlight").await), [mentioned]);
    assert_eq!(ids(&list(&bob, "?only=something").await).len(), 3);
}

async fn invitations_notify(server: &TestServer) {
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = alice.create_room().await;
    alice.invite(&room, &bob).await.ok();
    server.counted().await;
    bob.join(&room).await.ok();
    server.counted().await;
    let page = list(&bob, "").await;
    let invitation = &page["notifications"][0];
    assert_eq!(
        invitation["event"]["content"]["membership"], "invite",
        "{page}"
    );
    assert_eq!(invitation["read"], true);
}

async fn what_is_not_ours_is_not_listed(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let carol = server.user("carol").await;
    alice.send(&room, "before carol").await;
    carol.join(&room).await.ok();
    set_room_rule(&bob, &room, json!([])).await;
    let event = alice.send(&room, "silent for bob").await;
    server.counted().await;
    assert_eq!(ids(&list(&bob, "").await).len(), 1);
    assert_eq!(ids(&list(&carol, "").await), [event]);
    carol.leave(&room).await.ok();
    assert_eq!(ids(&list(&carol, "").await), Vec::<String>::new());
    assert_eq!(ids(&list(&alice, "").await), Vec::<String>::new());
}

async fn bad_parameters_are_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    for query in ["?from=x", "?from=1_2", "?limit=-1", "?limit=x"] {
        let answer = alice.get(&format!("/notifications{query}")).await;
        answer.refused(400, "M_INVALID_PARAM");
    }
}
