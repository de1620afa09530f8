//! `PUT /_matrix/client/v3/sendToDevice/{eventType}/{txnId}`, and what `/sync` shows of it

mod random;

use myelin_testkit::{Answer, PASSWORD, TestServer, User, encode, text, three_modes};
use serde_json::{Value, json};

use crate::covers;

three_modes!(
    a_message_reaches_the_device_that_it_is_for,
    a_message_to_all_reaches_each_device,
    a_repetition_sends_nothing,
    what_nobody_has_is_passed_over,
    odd_bodies_are_refused,
    a_message_has_a_limit,
    many_messages_come_in_several_answers,
    only_the_next_token_says_that_messages_have_arrived,
    a_message_ends_the_wait_of_a_sync,
    messages_go_with_their_device,
);

covers! {
    "PUT /_matrix/client/v3/sendToDevice/{eventType}/{txnId}":
        works = a_message_reaches_the_device_that_it_is_for;
}

/// A further session of a user that the kit has registered.
pub(crate) async fn log_in(server: &TestServer, name: &str, device: &str) -> User {
    let login = json!({
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": name},
        "password": PASSWORD,
        "device_id": device,
    });
    let answer = server.post("/_matrix/client/v3/login", login).await;
    server.user_from(&answer.ok())
}

async fn send(sender: &User, txn: &str, messages: Value) -> Answer {
    let path = format!("/sendToDevice/org.example.note/{}", encode(txn));
    sender.put(&path, json!({ "messages": messages })).await
}

/// Sends a number to a device.
async fn send_number(sender: &User, to: &User, number: usize) {
    let messages = json!({&to.id: {&to.device: {"n": number}}});
    let answer = send(sender, &number.to_string(), messages).await;
    assert_eq!(answer.ok(), json!({}));
}

fn messages(sync: &Value) -> Vec<Value> {
    sync["to_device"]["events"].as_array().unwrap().clone()
}

fn numbers(sync: &Value) -> Vec<u64> {
    let messages = messages(sync);
    let numbers = messages.iter();
    numbers
        .map(|message| message["content"]["n"].as_u64().unwrap())
        .collect()
}

async fn a_message_reaches_the_device_that_it_is_for(server: &TestServer) {
    let phone = server.user("alice").await;
    let laptop = log_in(server, "alice", "LAPTOP").await;
    let bob = server.user("bob").await;
    let since = text(&phone.sync(None).await, "next_batch");
    let content = json!({"text": "h\u{e9}llo", "nested": [{"half": 0.5}]});
    let to_phone = json!({&phone.id: {&phone.device: &content}});
    send(&bob, "1", to_phone).await.ok();
    let message = json!({
        "type": "org.example.note",
        "sender": "@bob:localhost",
        "content": content,
    });
    let sync = phone.sync(Some(&since)).await;
    assert_eq!(messages(&sync), std::slice::from_ref(&message));
    assert_eq!(messages(&phone.sync(None).await), [message]);
    assert!(messages(&laptop.sync(None).await).is_empty());
    let next = text(&sync, "next_batch");
    assert!(messages(&phone.sync(Some(&next)).await).is_empty());
    assert!(messages(&phone.sync(None).await).is_empty());
}

async fn a_message_to_all_reaches_each_device(server: &TestServer) {
    let phone = server.user("alice").await;
    let laptop = log_in(server, "alice", "LAPTOP").await;
    let bob = server.user("bob").await;
    let to_all = json!({
        &phone.id: {"*": {"n": 1}, "LAPTOP": {"n": 2}},
        &bob.id: {"*": {"n": 3}},
    });
    send(&bob, "1", to_all).await.ok();
    assert_eq!(numbers(&phone.sync(None).await), [1]);
    assert_eq!(numbers(&laptop.sync(None).await), [2], "named by itself");
    assert_eq!(numbers(&bob.sync(None).await), [3]);
}

async fn a_repetition_sends_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    for _ in 0..3 {
        send_number(&bob, &alice, 1).await;
    }
    assert_eq!(numbers(&alice.sync(None).await), [1]);
    // The same id is another transaction of another type, and of another device.
    let other = format!("/sendToDevice/{}/1", encode("org.example.other"));
    let body = json!({"messages": {&alice.id: {&alice.device: {"n": 2}}}});
    bob.put(&other, body).await.ok();
    let bob = log_in(server, "bob", "TABLET").await;
    let body = json!({&alice.id: {&alice.device: {"n": 3}}});
    send(&bob, "1", body).await.ok();
    assert_eq!(numbers(&alice.sync(None).await), [1, 2, 3]);
}

async fn what_nobody_has_is_passed_over(server: &TestServer) {
    let alice = server.user("alice").await;
    let messages = json!({
        &alice.id: {"UNKNOWN": {"n": 1}, &alice.device: {"n": 2}},
        "@nobody:localhost": {"*": {"n": 3}},
    });
    send(&alice, "1", messages).await.ok();
    send(&alice, "2", json!({})).await.ok();
    assert_eq!(numbers(&alice.sync(None).await), [2]);
}

async fn odd_bodies_are_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    let path = "/sendToDevice/org.example.note/1";
    let missing = alice.put(path, json!({})).await;
    missing.refused(400, "M_MISSING_PARAM");
    for messages in [
        json!([]),
        json!({&alice.id: "all"}),
        json!({&alice.id: {"*": "no object"}}),
        json!({&alice.id: {"*": null}}),
    ] {
        let answer = send(&alice, "1", messages.clone()).await;
        assert_eq!(answer.code(), (400, "M_BAD_JSON"), "{messages}");
    }
    let nobody = send(&alice, "1", json!({"nonsense": {"*": {}}})).await;
    nobody.refused(400, "M_INVALID_PARAM");
    assert!(messages(&alice.sync(None).await).is_empty());
}

async fn a_message_has_a_limit(server: &TestServer) {
    let alice = server.user("alice").await;
    let long = json!({&alice.id: {"*": {"text": "x".repeat(65_536)}}});
    send(&alice, "1", long).await.refused(413, "M_TOO_LARGE");
    let largest = json!({&alice.id: {"*": {"text": "x".repeat(65_000)}}});
    send(&alice, "2", largest).await.ok();
    assert_eq!(messages(&alice.sync(None).await).len(), 1);
}

async fn many_messages_come_in_several_answers(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let mut since = text(&alice.sync(None).await, "next_batch");
    for number in 0..250 {
        send_number(&bob, &alice, number).await;
    }
    let mut received = Vec::new();
    for expected in [100, 100, 50, 0] {
        let sync = alice.sync(Some(&since)).await;
        let numbers = numbers(&sync);
        assert_eq!(numbers.len(), expected);
        received.extend(numbers);
        since = text(&sync, "next_batch");
    }
    assert_eq!(received, (0..250).collect::<Vec<_>>());
}

async fn only_the_next_token_says_that_messages_have_arrived(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let since = text(&alice.sync(None).await, "next_batch");
    send_number(&bob, &alice, 1).await;
    let first = alice.sync(Some(&since)).await;
    send_number(&bob, &alice, 2).await;
    // The first answer was lost on the way.
    let again = alice.sync(Some(&since)).await;
    assert_eq!((numbers(&first), numbers(&again)), (vec![1], vec![1, 2]));
    server.restart().await;
    assert_eq!(numbers(&alice.sync(None).await), [1, 2]);
    // What the token of the first answer stands for, and nothing else.
    let next = text(&first, "next_batch");
    assert_eq!(numbers(&alice.sync(Some(&next)).await), [2]);
    assert_eq!(numbers(&alice.sync(None).await), [2]);
    // Other readers of tokens do not delete.
    let next = text(&again, "next_batch");
    let events = format!("/_matrix/client/v3/events?timeout=0&from={}", encode(&next));
    alice.get(&events).await.ok();
    assert_eq!(numbers(&alice.sync(None).await), [2]);
    assert!(numbers(&alice.sync(Some(&next)).await).is_empty());
    assert!(numbers(&alice.sync(None).await).is_empty());
}

async fn a_message_ends_the_wait_of_a_sync(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let since = text(&alice.sync(None).await, "next_batch");
    let waiting = alice.sync_waiting(&since, 60_000);
    let (sync, ()) = tokio::join!(waiting, send_number(&bob, &alice, 7));
    assert_eq!(numbers(&sync), [7]);
}

async fn messages_go_with_their_device(server: &TestServer) {
    let phone = server.user("alice").await;
    let tablet = log_in(server, "alice", "TABLET").await;
    let bob = server.user("bob").await;
    // More than one commit takes out of a queue.
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..620 {
        let (bob, tablet) = (bob.clone(), tablet.clone());
        tasks.spawn(async move { send_number(&bob, &tablet, number).await });
        if number % 16 == 0 {
            while tasks.join_next().await.is_some() {}
        }
    }
    tasks.join_all().await;
    tablet.post("/logout", json!({})).await.ok();
    tablet.get("/sync").await.refused(401, "M_UNKNOWN_TOKEN");
    send(&bob, "late", json!({&phone.id: {"TABLET": {"n": 1}}}))
        .await
        .ok();
    let tablet = log_in(server, "alice", "TABLET").await;
    assert!(messages(&tablet.sync(None).await).is_empty());
    send_number(&bob, &tablet, 1_000).await;
    assert_eq!(numbers(&tablet.sync(None).await), [1_000]);
}
