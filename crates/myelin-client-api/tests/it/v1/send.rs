//! `POST /_matrix/client/api/v1/rooms/{roomId}/send/{eventType}`

use http::Method;
use myelin_testkit::{TestServer, encode, text, three_modes};
use serde_json::json;

use super::{call, get, post, room_path, with_token};

three_modes!(
    sends_however_the_room_is_written,
    two_posts_are_two_events,
    a_repeated_transaction_sends_once,
    old_readers_see_old_keys_and_new_ones_do_not,
    works_in_rooms_of_the_newest_version,
    members_alone_may_send,
    refuses_bad_bodies,
);

async fn sends_however_the_room_is_written(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = text(
        &post(server, &alice, "/createRoom", json!({})).await.ok(),
        "room_id",
    );
    let body = json!({"msgtype": "m.text", "body": "hello"});
    for written in [encode(&room), room.replace(':', "%3A"), room.clone()] {
        let path = format!("/rooms/{written}/send/m.room.message");
        let answer = post(server, &alice, &path, body.clone()).await.ok();
        assert!(!text(&answer, "event_id").is_empty());
    }
}

async fn two_posts_are_two_events(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let path = room_path(&room, "send/m.room.message");
    let body = json!({"msgtype": "m.text", "body": "hello"});
    let first = text(
        &post(server, &alice, &path, body.clone()).await.ok(),
        "event_id",
    );
    let second = text(&post(server, &alice, &path, body).await.ok(), "event_id");
    assert_ne!(first, second);
}

async fn a_repeated_transaction_sends_once(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let path = with_token(&alice, &room_path(&room, "send/m.room.message/7"));
    let body = "{\"msgtype\":\"m.text\",\"body\":\"once\"}";
    let first = call(server, Method::PUT, &path, body).await.ok();
    let second = call(server, Method::PUT, &path, body).await.ok();
    assert_eq!(first, second);
}

async fn old_readers_see_old_keys_and_new_ones_do_not(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let path = room_path(&room, "send/m.room.message");
    let body = json!({"msgtype": "m.text", "body": "hello"});
    let sent = text(
        &post(server, &alice, &path, body.clone()).await.ok(),
        "event_id",
    );
    let sync = get(server, &alice, "/initialSync?limit=1").await.ok();
    let old = &sync["rooms"][0]["messages"]["chunk"][0];
    assert_eq!(old["event_id"], sent);
    assert_eq!(old["ts"], server.now_ms());
    assert_eq!(old["user_id"], alice.id);
    assert_eq!(old["room_id"], room);
    assert!(old["content"]["hsob_ts"].is_u64(), "{old}");
    assert!(old.get("state_key").is_none(), "{old}");
    let new = alice.messages(&room, "dir=b&limit=1").await.ok()["chunk"][0].clone();
    assert_eq!(new["event_id"], sent);
    assert_eq!(new["content"], body);
    assert!(
        new.get("ts").is_none() && new.get("user_id").is_none(),
        "{new}"
    );
}

async fn works_in_rooms_of_the_newest_version(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice
        .create_room_with(json!({"preset": "public_chat", "room_version": "12"}))
        .await;
    bob.join(&room).await.ok();
    let body = json!({"msgtype": "m.text", "body": "hello"});
    let path = room_path(&room, "send/m.room.message");
    let sent = text(&post(server, &alice, &path, body).await.ok(), "event_id");
    let sync = get(server, &bob, "/initialSync?limit=1").await.ok();
    assert_eq!(sync["rooms"][0]["messages"]["chunk"][0]["event_id"], sent);
    let state = sync["rooms"][0]["state"].as_array().unwrap();
    let event = state
        .iter()
        .find(|event| event["type"] == "m.room.power_levels")
        .unwrap();
    let level = event["content"][&alice.id].as_i64().unwrap();
    let wanted = state
        .iter()
        .filter_map(|event| event["required_power_level"].as_i64())
        .max();
    assert!(
        Some(level) >= wanted,
        "its creator may do everything: {sync}"
    );
}

async fn members_alone_may_send(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    let path = room_path(&room, "send/m.room.message");
    let body = json!({"msgtype": "m.text", "body": "hello"});
    post(server, &bob, &path, body.clone())
        .await
        .refused(403, "M_FORBIDDEN");
    let answer = call(server, Method::POST, &path, &body.to_string()).await;
    answer.refused(403, "M_FORBIDDEN");
}

async fn refuses_bad_bodies(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let path = with_token(&alice, &room_path(&room, "send/m.room.message"));
    for body in ["", "{", "[]", "\"x\""] {
        call(server, Method::POST, &path, body)
            .await
            .refused(400, "M_NOT_JSON");
    }
    let body = "{\"body\":\"no msgtype\"}";
    call(server, Method::POST, &path, body)
        .await
        .refused(400, "M_BAD_JSON");
    let body = "{\"msgtype\":\"org.example.unheard_of\",\"body\":\"hello\"}";
    call(server, Method::POST, &path, body).await.ok();
}
