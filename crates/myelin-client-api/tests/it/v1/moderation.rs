//! `POST /_matrix/client/api/v1/rooms/{roomId}/ban` and `.../kick`, and
//! `POST /_matrix/client/api/v1/rooms/{roomId}/redact/{eventId}`

use myelin_testkit::{TestServer, User, encode, text, three_modes};
use serde_json::{Value, json};

use super::{get, post, put, room_path};

three_modes!(
    kicks_and_bans,
    a_transaction_kicks_once,
    who_has_no_power_cannot,
    redacts_what_was_said,
    a_transaction_redacts_once,
    the_parts_of_the_levels_are_no_events,
    refuses_bad_bodies,
);

async fn room_of_two(server: &TestServer) -> (User, User, String) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let answer = post(server, &alice, "/createRoom", json!({})).await.ok();
    let room = text(&answer, "room_id");
    bob.join(&room).await.ok();
    (alice, bob, room)
}

async fn membership(user: &User, room: &str, of: &User) -> Value {
    user.state(room, "m.room.member", &of.id).await.ok()
}

async fn kicks_and_bans(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let body = json!({"user_id": bob.id, "reason": "noise"});
    let kick = room_path(&room, "kick");
    assert_eq!(
        post(server, &alice, &kick, body.clone()).await.ok(),
        json!({})
    );
    let content = membership(&alice, &room, &bob).await;
    assert_eq!(
        (&content["membership"], &content["reason"]),
        (&json!("leave"), &json!("noise"))
    );
    post(server, &alice, &kick, body.clone())
        .await
        .refused(403, "M_FORBIDDEN");
    bob.join(&room).await.ok();
    let ban = room_path(&room, "ban");
    post(server, &alice, &ban, body).await.ok();
    assert_eq!(membership(&alice, &room, &bob).await["membership"], "ban");
    let state = get(server, &alice, &room_path(&room, "state")).await.ok();
    let mut state = state.as_array().unwrap().iter();
    let event = state.find(|event| event["state_key"] == bob.id).unwrap();
    assert_eq!(event["required_power_level"], 5, "what a ban needs");
    post(server, &bob, &room_path(&room, "join"), json!({}))
        .await
        .refused(403, "M_FORBIDDEN");
}

async fn a_transaction_kicks_once(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let path = room_path(&room, "kick/7");
    put(server, &alice, &path, json!({"user_id": bob.id}))
        .await
        .ok();
    bob.join(&room).await.ok();
    put(server, &alice, &path, json!({"user_id": bob.id}))
        .await
        .ok();
    assert_eq!(membership(&alice, &room, &bob).await["membership"], "join");
}

async fn who_has_no_power_cannot(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let carol = server.user("carol").await;
    let sent = alice.send(&room, "hello").await;
    for act in ["ban", "kick"] {
        for (user, target) in [(&bob, &alice), (&carol, &alice)] {
            let body = json!({"user_id": target.id});
            post(server, user, &room_path(&room, act), body)
                .await
                .refused(403, "M_FORBIDDEN");
        }
    }
    let path = room_path(&room, &format!("redact/{}", encode(&sent)));
    for user in [&bob, &carol] {
        post(server, user, &path, json!({}))
            .await
            .refused(403, "M_FORBIDDEN");
    }
}

async fn redacts_what_was_said(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let sent = bob.send(&room, "hello").await;
    let path = room_path(&room, &format!("redact/{}", encode(&sent)));
    let answer = post(server, &alice, &path, json!({"reason": "noise"})).await;
    let redaction = text(&answer.ok(), "event_id");
    let event = get(server, &bob, &format!("/events/{}", encode(&sent)))
        .await
        .ok();
    assert_eq!(event["content"], json!({}));
    assert_eq!(event["redacted_because"]["event_id"], redaction);
    assert_eq!(event["redacted_because"]["user_id"], alice.id);
    let path = format!("/events/{}", encode(&redaction));
    let event = get(server, &bob, &path).await.ok();
    assert_eq!(event["redacts"], sent);
}

async fn a_transaction_redacts_once(server: &TestServer) {
    let (alice, _, room) = room_of_two(server).await;
    let sent = alice.send(&room, "hello").await;
    let path = room_path(&room, &format!("redact/{}/1", encode(&sent)));
    let first = put(server, &alice, &path, json!({})).await.ok();
    assert_eq!(put(server, &alice, &path, json!({})).await.ok(), first);
}

async fn the_parts_of_the_levels_are_no_events(server: &TestServer) {
    let (alice, _, room) = room_of_two(server).await;
    for id in ["$x~ops", "$x~add", "x"] {
        let path = room_path(&room, &format!("redact/{}", encode(id)));
        post(server, &alice, &path, json!({}))
            .await
            .refused(400, "M_INVALID_PARAM");
    }
}

async fn refuses_bad_bodies(server: &TestServer) {
    let (alice, _, room) = room_of_two(server).await;
    for act in ["ban", "kick"] {
        let path = room_path(&room, act);
        post(server, &alice, &path, json!({}))
            .await
            .refused(400, "M_BAD_JSON");
        post(server, &alice, &path, json!({"user_id": "bob"}))
            .await
            .refused(400, "M_INVALID_PARAM");
    }
}
