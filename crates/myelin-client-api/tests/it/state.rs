//! `GET /_matrix/client/v3/rooms/{roomId}/state`, and `GET` and `PUT` of
//! `/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}`

use http::Method;
use myelin_testkit::{TestServer, encode, text, three_modes};
use serde_json::json;

use crate::covers;

three_modes!(
    what_is_set_can_be_read,
    the_list_is_the_whole_state,
    an_empty_key_needs_no_slash,
    what_was_never_set_is_not_found,
    members_alone_may_look_and_touch,
    power_decides_what_may_be_set,
    refuses_bad_content,
    the_event_itself_is_shown_on_demand,
    settings_have_an_empty_state_key,
);

covers! {
    "GET /_matrix/client/v3/rooms/{roomId}/state":
        works = the_list_is_the_whole_state,
        403 = members_alone_may_look_and_touch,
        outsider = members_alone_may_look_and_touch;
    "GET /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}":
        works = what_is_set_can_be_read,
        403 = members_alone_may_look_and_touch,
        404 = what_was_never_set_is_not_found,
        outsider = members_alone_may_look_and_touch;
    "PUT /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}":
        works = what_is_set_can_be_read,
        400 = refuses_bad_content,
        403 = power_decides_what_may_be_set,
        outsider = members_alone_may_look_and_touch;
}

async fn what_is_set_can_be_read(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    for (kind, key) in [
        ("m.room.topic", ""),
        ("org.example.x", "a/b ?#%"),
        ("org.example.x", "\u{e4}"),
    ] {
        for number in 0..3 {
            let content = json!({"topic": format!("number {number}")});
            let answer = alice
                .set_state(&room, kind, key, content.clone())
                .await
                .ok();
            assert!(text(&answer, "event_id").starts_with('$'));
            assert_eq!(alice.state(&room, kind, key).await.ok(), content);
        }
    }
}

async fn the_list_is_the_whole_state(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    alice
        .set_state(&room, "m.room.topic", "", json!({"topic": "old"}))
        .await
        .ok();
    alice
        .set_state(&room, "m.room.topic", "", json!({"topic": "new"}))
        .await
        .ok();
    let list = alice
        .get(&format!("/rooms/{}/state", encode(&room)))
        .await
        .ok();
    let mut found: Vec<(String, String)> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|event| (text(event, "type"), text(event, "state_key")))
        .collect();
    found.sort();
    let before = found.len();
    found.dedup();
    assert_eq!(found.len(), before, "one event for each key: {list}");
    for wanted in [
        ("m.room.create", ""),
        ("m.room.history_visibility", ""),
        ("m.room.join_rules", ""),
        ("m.room.member", "@alice:localhost"),
        ("m.room.member", "@bob:localhost"),
        ("m.room.power_levels", ""),
        ("m.room.topic", ""),
    ] {
        let wanted = (wanted.0.to_owned(), wanted.1.to_owned());
        assert!(found.contains(&wanted), "{wanted:?} in {found:?}");
    }
    let topic = list
        .as_array()
        .unwrap()
        .iter()
        .find(|event| event["type"] == "m.room.topic");
    assert_eq!(topic.unwrap()["content"]["topic"], "new");
    assert_eq!(topic.unwrap()["room_id"], room);
}

async fn an_empty_key_needs_no_slash(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let path = format!("/rooms/{}/state/m.room.topic", encode(&room));
    let content = json!({"topic": "here"});
    alice.put(&path, content.clone()).await.ok();
    assert_eq!(alice.get(&path).await.ok(), content);
    assert_eq!(alice.get(&format!("{path}/")).await.ok(), content);
}

async fn what_was_never_set_is_not_found(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    alice
        .state(&room, "m.room.avatar", "")
        .await
        .refused(404, "M_NOT_FOUND");
    alice
        .state(&room, "m.room.topic", "other")
        .await
        .refused(404, "M_NOT_FOUND");
    alice
        .state(&room, "never.heard.of", "")
        .await
        .refused(404, "M_NOT_FOUND");
}

async fn members_alone_may_look_and_touch(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    let list = format!("/rooms/{}/state", encode(&room));
    bob.get(&list).await.refused(403, "M_FORBIDDEN");
    bob.state(&room, "m.room.create", "")
        .await
        .refused(403, "M_FORBIDDEN");
    let topic = json!({"topic": "mine"});
    bob.set_state(&room, "m.room.topic", "", topic)
        .await
        .refused(403, "M_FORBIDDEN");
    bob.get("/rooms/!nowhere:localhost/state")
        .await
        .refused(403, "M_FORBIDDEN");
}

async fn power_decides_what_may_be_set(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let topic = json!({"topic": "mine"});
    bob.set_state(&room, "m.room.topic", "", topic.clone())
        .await
        .refused(403, "M_FORBIDDEN");
    let levels = json!({"users": {&bob.id: 50}, "state_default": 50});
    alice
        .set_state(&room, "m.room.power_levels", "", levels)
        .await
        .ok();
    bob.set_state(&room, "m.room.topic", "", topic).await.ok();
    // A key that is a user's id belongs to that user.
    let answer = bob
        .set_state(&room, "org.example.x", &alice.id, json!({}))
        .await;
    answer.refused(403, "M_FORBIDDEN");
    let levels = json!({"users": {&bob.id: 100}});
    let answer = bob
        .set_state(&room, "m.room.power_levels", "", levels)
        .await;
    answer.refused(403, "M_FORBIDDEN");
}

async fn refuses_bad_content(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let path = format!("/rooms/{}/state/m.room.topic/", encode(&room));
    let put = async |body: &str| alice.request(Method::PUT, &path, body.to_owned()).await;
    put("{").await.refused(400, "M_NOT_JSON");
    put("[]").await.refused(400, "M_BAD_JSON");
    put("{\"topic\":1.5}").await.refused(400, "M_BAD_JSON");
    let large = json!({"topic": "a".repeat(65_536)});
    alice.put(&path, large).await.refused(413, "M_TOO_LARGE");
    let long_key = "k".repeat(256);
    let answer = alice
        .set_state(&room, "org.example.x", &long_key, json!({}))
        .await;
    assert!([400, 413].contains(&answer.status), "{}", answer.text);
}

async fn the_event_itself_is_shown_on_demand(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let content = json!({"topic": "here"});
    let answer = alice
        .set_state(&room, "m.room.topic", "", content.clone())
        .await
        .ok();
    let path = format!("/rooms/{}/state/m.room.topic?format=", encode(&room));
    let event = alice.get(&format!("{path}event")).await.ok();
    assert_eq!(event["event_id"], answer["event_id"]);
    assert_eq!(event["room_id"], room);
    assert_eq!(event["content"], content);
    assert_eq!(alice.get(&format!("{path}content")).await.ok(), content);
}

/// An event of a setting's type with another state key sets nothing, at once as after a restart.
async fn settings_have_an_empty_state_key(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_room().await;
    let public = json!({"join_rule": "public"});
    alice
        .set_state(&room, "m.room.join_rules", "x", public)
        .await
        .ok();
    bob.join(&room).await.refused(403, "M_FORBIDDEN");
    alice.invite(&room, &bob).await.ok();
    bob.join(&room).await.ok();
    let levels = json!({"events_default": 100});
    let answer = alice
        .set_state(&room, "m.room.power_levels", "x", levels)
        .await;
    answer.ok();
    bob.send(&room, "still allowed to speak").await;
    server.restart().await;
    bob.send(&room, "and so after a restart").await;
}
