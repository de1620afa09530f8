//! `GET` and `PUT /_matrix/client/api/v1/presence/{userId}/status`,
//! `GET` and `POST /_matrix/client/api/v1/presence/list/{userId}`, presence in the stream and among
//! members, and `PUT /_matrix/client/api/v1/rooms/{roomId}/typing/{userId}`

use myelin_testkit::{TestServer, User, encode, text, three_modes, wait_until};
use serde_json::{Value, json};

use super::{get, post, put, room_path};

three_modes!(
    says_how_one_is,
    tells_others_in_the_stream,
    members_show_it_too,
    the_list_is_who_shares_a_room,
    types,
    strangers_learn_nothing,
    refuses_what_is_no_presence,
);

fn status(user: &User) -> String {
    format!("/presence/{}/status", encode(&user.id))
}

fn list(user: &User) -> String {
    format!("/presence/list/{}", encode(&user.id))
}

async fn says_how_one_is(server: &TestServer) {
    let alice = server.user("alice").await;
    for (body, wanted) in [
        (
            json!({"presence": "unavailable", "status_msg": "at lunch"}),
            "unavailable",
        ),
        (json!({"presence": "free_for_chat"}), "online"),
        (json!({"state": "online", "last_active_ago": 5}), "online"),
    ] {
        put(server, &alice, &status(&alice), body.clone())
            .await
            .ok();
        let told = seen(server, &alice, &alice, wanted).await;
        assert_eq!(told["status_msg"], body["status_msg"], "{told}");
        assert!(told.get("currently_active").is_none(), "{told}");
    }
}

async fn tells_others_in_the_stream(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let mut from = text(&get(server, &bob, "/events?timeout=0").await.ok(), "end");
    let body = json!({"presence": "unavailable", "status_msg": "at lunch"});
    put(server, &alice, &status(&alice), body).await.ok();
    seen(server, &bob, &alice, "unavailable").await;
    alice.send(&room, "back in an hour").await;
    let mut told = Vec::new();
    wait_until("bob is told that alice is at lunch", async || {
        let path = format!("/events?timeout=0&from={from}");
        let events = get(server, &bob, &path).await.ok();
        from = text(&events, "end");
        let chunk = events["chunk"].as_array().unwrap().iter();
        told.extend(chunk.filter(|event| event["type"] == "m.presence").cloned());
        told.iter()
            .any(|event| event["content"]["status_msg"] == "at lunch")
    })
    .await;
    for event in &told {
        assert_eq!(
            event["content"]["user_id"], alice.id,
            "of others only: {event}"
        );
        assert!(event.get("event_id").is_none() && event.get("room_id").is_none());
    }
}

async fn members_show_it_too(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let body = json!({"presence": "online", "status_msg": "here"});
    put(server, &alice, &status(&alice), body).await.ok();
    wait_until("the member list says that alice is here", async || {
        let members = get(server, &bob, &room_path(&room, "members")).await.ok();
        let mut chunk = members["chunk"].as_array().unwrap().iter();
        let event = chunk.find(|event| event["state_key"] == alice.id).unwrap();
        assert_eq!(event["content"]["membership"], "join");
        event["content"]["status_msg"] == "here" && event["content"]["presence"] == "online"
    })
    .await;
}

async fn the_list_is_who_shares_a_room(server: &TestServer) {
    let (alice, bob, _) = room_of_two(server).await;
    let shown = get(server, &alice, &list(&alice)).await.ok();
    let shown = shown.as_array().unwrap();
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert_eq!(shown[0]["user_id"], bob.id);
    let body = json!({"invite": [bob.id], "drop": ["@carol:localhost"]});
    assert_eq!(
        post(server, &alice, &list(&alice), body).await.ok(),
        json!({})
    );
    for body in [json!({"invite": "bob"}), json!({"drop": [5]})] {
        let answer = post(server, &alice, &list(&alice), body).await;
        answer.refused(400, "M_UNKNOWN");
    }
    get(server, &bob, &list(&alice))
        .await
        .refused(403, "M_FORBIDDEN");
}

async fn types(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let path = room_path(&room, &format!("typing/{}", encode(&alice.id)));
    let body = json!({"typing": true, "timeout": 30_000});
    put(server, &alice, &path, body.clone()).await.ok();
    wait_until("bob is told that alice types", async || {
        let sync = bob.sync(None).await;
        let ephemeral = &sync["rooms"]["join"][&room]["ephemeral"]["events"];
        ephemeral.to_string().contains(&alice.id)
    })
    .await;
    put(server, &bob, &path, body.clone())
        .await
        .refused(403, "M_FORBIDDEN");
    let carol = server.user("carol").await;
    let path = room_path(&room, &format!("typing/{}", encode(&carol.id)));
    put(server, &carol, &path, body)
        .await
        .refused(403, "M_FORBIDDEN");
}

async fn strangers_learn_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    get(server, &bob, &status(&alice))
        .await
        .refused(404, "M_NOT_FOUND");
    let path = "/presence/%40nobody%3Alocalhost/status";
    get(server, &bob, path).await.refused(404, "M_NOT_FOUND");
    put(server, &bob, &status(&alice), json!({"presence": "online"}))
        .await
        .refused(403, "M_FORBIDDEN");
}

async fn refuses_what_is_no_presence(server: &TestServer) {
    let alice = server.user("alice").await;
    for body in [
        json!({}),
        json!({"presence": "hidden"}),
        json!({"presence": "online", "mood": "good"}),
    ] {
        put(server, &alice, &status(&alice), body)
            .await
            .refused(400, "M_UNKNOWN");
    }
}

async fn room_of_two(server: &TestServer) -> (User, User, String) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    (alice, bob, room)
}

/// What a viewer is told of a user, once the nodes have told each other.
async fn seen(server: &TestServer, viewer: &User, user: &User, wanted: &str) -> Value {
    let mut told = Value::Null;
    wait_until("the presence is the one that was set", async || {
        told = get(server, viewer, &status(user)).await.ok();
        told["presence"] == wanted
    })
    .await;
    told
}
