//! `POST /_matrix/client/v3/rooms/{roomId}/receipt/{receiptType}/{eventId}`

use myelin_testkit::{Answer, TestServer, User, encode, text, three_modes};
use serde_json::{Value, json};

use crate::covers;

three_modes!(
    a_receipt_is_taken,
    a_thread_is_named_by_its_root,
    threads_that_do_not_fit_are_refused,
    unknown_types_and_events_are_refused,
    who_is_not_in_the_room_has_read_nothing,
);

covers! {
    "POST /_matrix/client/v3/rooms/{roomId}/receipt/{receiptType}/{eventId}":
        works = a_receipt_is_taken,
        400 = threads_that_do_not_fit_are_refused,
        outsider = who_is_not_in_the_room_has_read_nothing;
}

async fn a_receipt_is_taken(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let first = alice.send(&room, "first").await;
    let second = alice.send(&room, "second").await;
    for kind in ["m.read", "m.read.private"] {
        for event in [&second, &first, &second] {
            let answer = receipt(&alice, &room, (kind, event), json!({})).await;
            assert_eq!(answer.ok(), json!({}));
        }
    }
}

async fn a_thread_is_named_by_its_root(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let root = alice.send(&room, "root").await;
    let reply = related(&alice, &room, ("m.thread", &root)).await;
    let reaction = related(&alice, &room, ("m.annotation", &reply)).await;
    let edit = related(&alice, &room, ("m.replace", &root)).await;
    for event in [&root, &reply, &reaction, &edit] {
        let body = json!({"thread_id": root});
        receipt(&alice, &room, ("m.read", event), body).await.ok();
    }
    for event in [&root, &edit] {
        let body = json!({"thread_id": "main"});
        receipt(&alice, &room, ("m.read", event), body).await.ok();
    }
}

async fn threads_that_do_not_fit_are_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let other = alice.send(&room, "other").await;
    let root = alice.send(&room, "root").await;
    let reply = related(&alice, &room, ("m.thread", &root)).await;
    let reaction = related(&alice, &room, ("m.annotation", &reply)).await;
    for thread in [
        json!(1),
        json!(""),
        json!(null),
        json!([]),
        json!("x".repeat(300)),
    ] {
        let body = json!({"thread_id": thread});
        let answer = receipt(&alice, &room, ("m.read", &root), body).await;
        answer.refused(400, "M_INVALID_PARAM");
    }
    for (event, thread) in [
        (&reply, "main"),
        (&reaction, "main"),
        (&other, root.as_str()),
        (&reply, other.as_str()),
        (&root, "nonsense"),
    ] {
        let body = json!({"thread_id": thread});
        let answer = receipt(&alice, &room, ("m.read", event), body).await;
        answer.refused(400, "M_INVALID_PARAM");
    }
}

async fn unknown_types_and_events_are_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let elsewhere = alice.create_room().await;
    let event = alice.send(&room, "hello").await;
    receipt(&alice, &room, ("m.delivered", &event), json!({}))
        .await
        .refused(400, "M_INVALID_PARAM");
    receipt(&alice, &room, ("m.read", "hello"), json!({}))
        .await
        .refused(400, "M_INVALID_PARAM");
    for (room, event) in [(&room, "$unheard-of"), (&elsewhere, event.as_str())] {
        receipt(&alice, room, ("m.read", event), json!({}))
            .await
            .refused(404, "M_NOT_FOUND");
    }
}

async fn who_is_not_in_the_room_has_read_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    let event = alice.send(&room, "hello").await;
    for kind in ["m.read", "m.read.private"] {
        let answer = receipt(&bob, &room, (kind, &event), json!({})).await;
        answer.refused(403, "M_FORBIDDEN");
    }
    let nowhere = "!nowhere:localhost";
    receipt(&bob, nowhere, ("m.read", &event), json!({}))
        .await
        .refused(403, "M_FORBIDDEN");
}

/// Sends a receipt of a type for an event.
pub(crate) async fn receipt(
    user: &User,
    room: &str,
    (kind, event): (&str, &str),
    body: Value,
) -> Answer {
    let (room, event) = (encode(room), encode(event));
    user.post(&format!("/rooms/{room}/receipt/{kind}/{event}"), body)
        .await
}

/// Sends an event with a relation; its id.
pub(crate) async fn related(user: &User, room: &str, (kind, to): (&str, &str)) -> String {
    let content = json!({
        "msgtype": "m.text",
        "body": "related",
        // An edit without is none.
        "m.new_content": {"body": "edited"},
        "m.relates_to": {"rel_type": kind, "event_id": to},
    });
    let txn = format!("{kind} {to}");
    let answer = user.send_event(room, "m.room.message", &txn, content).await;
    text(&answer.ok(), "event_id")
}
