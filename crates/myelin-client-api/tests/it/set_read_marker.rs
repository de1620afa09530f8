//! `POST /_matrix/client/v3/rooms/{roomId}/read_markers`

use myelin_testkit::{Answer, TestServer, User, encode, text, three_modes};
use serde_json::{Value, json};

use super::create_receipt::receipt;
use crate::covers;

three_modes!(
    the_marker_is_data_of_the_room,
    marker_and_receipts_are_set_at_once,
    the_marker_never_moves_backwards,
    either_all_is_set_or_nothing,
    who_is_not_in_the_room_marks_nothing,
    a_thread_has_no_marker,
);

covers! {
    "POST /_matrix/client/v3/rooms/{roomId}/read_markers":
        works = marker_and_receipts_are_set_at_once,
        outsider = who_is_not_in_the_room_marks_nothing;
}

async fn the_marker_is_data_of_the_room(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    for by_receipt in [false, true] {
        let event = alice.send(&room, "hello").await;
        let since = text(&alice.sync(None).await, "next_batch");
        let since_bob = text(&bob.sync(None).await, "next_batch");
        if by_receipt {
            receipt(&alice, &room, ("m.fully_read", &event), json!({}))
                .await
                .ok();
        } else {
            mark(&alice, &room, json!({"m.fully_read": event}))
                .await
                .ok();
        }
        let wanted = json!({"type": "m.fully_read", "content": {"event_id": event}});
        for since in [None, Some(since.as_str())] {
            let sync = alice.sync(since).await;
            let told = &sync["rooms"]["join"][&room]["account_data"]["events"];
            assert_eq!(*told, json!([wanted]), "{sync}");
        }
        let sync = bob.sync(Some(&since_bob)).await;
        assert!(sync["rooms"]["join"].get(&room).is_none(), "{sync}");
        assert_eq!(marker(&alice, &room).await.ok(), wanted["content"]);
    }
    let path = marker_path(&alice, &room);
    let answer = alice.put(&path, json!({"event_id": "$mine"})).await;
    assert_eq!(answer.status, 405, "{}", answer.text);
}

async fn marker_and_receipts_are_set_at_once(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let first = alice.send(&room, "first").await;
    let second = alice.send(&room, "second").await;
    let third = alice.send(&room, "third").await;
    let since = text(&alice.sync(None).await, "next_batch");
    let body = json!({"m.fully_read": first, "m.read": second, "m.read.private": third});
    assert_eq!(mark(&alice, &room, body).await.ok(), json!({}));
    let sync = alice.sync(Some(&since)).await;
    let told = &sync["rooms"]["join"][&room];
    let ts = server.now_ms();
    assert_eq!(
        told["ephemeral"]["events"][0]["content"],
        json!({
            &second: {"m.read": {&alice.id: {"ts": ts}}},
            &third: {"m.read.private": {&alice.id: {"ts": ts}}},
        })
    );
    assert_eq!(marker(&alice, &room).await.ok()["event_id"], first);
    assert_eq!(mark(&alice, &room, json!({})).await.ok(), json!({}));
}

async fn the_marker_never_moves_backwards(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let first = alice.send(&room, "first").await;
    let second = alice.send(&room, "second").await;
    for event in [&second, &first] {
        mark(&alice, &room, json!({"m.fully_read": event}))
            .await
            .ok();
        assert_eq!(marker(&alice, &room).await.ok()["event_id"], second);
    }
}

async fn either_all_is_set_or_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let elsewhere = alice.create_room().await;
    let event = alice.send(&room, "hello").await;
    let other = alice.send(&elsewhere, "hello").await;
    let body = json!({"m.fully_read": event, "m.read": other});
    mark(&alice, &room, body).await.refused(404, "M_NOT_FOUND");
    let body = json!({"m.fully_read": other, "m.read": event});
    mark(&alice, &room, body).await.refused(404, "M_NOT_FOUND");
    marker(&alice, &room).await.refused(404, "M_NOT_FOUND");
    let sync = alice.sync(None).await;
    assert!(!sync.to_string().contains("m.receipt"), "{sync}");
    for body in [json!({"m.read": 1}), json!({"m.fully_read": "nonsense"})] {
        assert_eq!(
            mark(&alice, &room, body.clone()).await.status,
            400,
            "{body}"
        );
    }
}

async fn who_is_not_in_the_room_marks_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    let event = alice.send(&room, "hello").await;
    for body in [json!({"m.fully_read": event}), json!({"m.read": event})] {
        mark(&bob, &room, body).await.refused(403, "M_FORBIDDEN");
    }
}

async fn a_thread_has_no_marker(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let event = alice.send(&room, "hello").await;
    let body = json!({"thread_id": "main"});
    receipt(&alice, &room, ("m.fully_read", &event), body)
        .await
        .refused(400, "M_INVALID_PARAM");
}

async fn mark(user: &User, room: &str, body: Value) -> Answer {
    user.post(&format!("/rooms/{}/read_markers", encode(room)), body)
        .await
}

async fn marker(user: &User, room: &str) -> Answer {
    user.get(&marker_path(user, room)).await
}

fn marker_path(user: &User, room: &str) -> String {
    let (id, room) = (encode(&user.id), encode(room));
    format!("/user/{id}/rooms/{room}/account_data/m.fully_read")
}
