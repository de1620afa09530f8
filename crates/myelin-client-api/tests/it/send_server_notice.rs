//! `POST /_synapse/admin/v1/send_server_notice` and
//! `PUT /_synapse/admin/v1/send_server_notice/{txnId}`

use myelin_testkit::{Answer, TestServer, User, encode, text, three_modes};
use serde_json::{Value, json};

use crate::{accounts::change_account, membership::act};

three_modes!(
    tells_a_user_something,
    a_user_has_one_room_for_notices,
    a_repeated_request_tells_it_once,
    the_room_cannot_be_left,
    nobody_but_the_server_speaks_there,
    who_invites_is_not_asked,
    notices_may_be_any_event,
    administrators_alone_send_notices,
    nobody_is_the_sender,
    refuses_whom_it_does_not_know,
    refuses_bad_bodies,
);

const PATH: &str = "/_synapse/admin/v1/send_server_notice";

async fn tells_a_user_something(server: &TestServer) {
    let (admin, bob) = admin_and_bob(server).await;
    let answer = notify(&admin, &bob, "Maintenance at noon").await.ok();
    assert!(text(&answer, "event_id").starts_with('$'));
    let (room, invite) = invitation(&bob).await;
    let events = invite["invite_state"]["events"].as_array().unwrap();
    let name = events.iter().find(|event| event["type"] == "m.room.name");
    assert_eq!(name.unwrap()["content"]["name"], "Server notices");
    assert_eq!(tags(&bob, &room).await, json!({"m.server_notice": {}}));
    bob.join(&room).await.ok();
    let page = bob.messages(&room, "dir=b&limit=5").await.ok();
    let notice = page["chunk"].as_array().unwrap().iter();
    let mut notice = notice.filter(|event| event["event_id"] == answer["event_id"]);
    let notice = notice.next().unwrap();
    assert_eq!(notice["sender"], "@notices:localhost");
    assert_eq!(notice["content"], content("Maintenance at noon"));
    let member = bob
        .state(&room, "m.room.member", "@notices:localhost")
        .await;
    assert_eq!(member.ok()["displayname"], "Server notices");
}

async fn a_user_has_one_room_for_notices(server: &TestServer) {
    let (admin, bob) = admin_and_bob(server).await;
    let (one, other) = tokio::join!(notify(&admin, &bob, "one"), notify(&admin, &bob, "other"),);
    one.ok();
    other.ok();
    let (room, _) = invitation(&bob).await;
    bob.join(&room).await.ok();
    notify(&admin, &bob, "and another").await.ok();
    let page = bob.messages(&room, "dir=b&limit=20").await.ok();
    let notices = page["chunk"].as_array().unwrap().iter();
    let notices = notices.filter(|event| event["type"] == "m.room.message");
    assert_eq!(notices.count(), 3, "{page}");
    let rooms = bob.sync(None).await["rooms"].clone();
    assert_eq!(rooms["join"].as_object().unwrap().len(), 1, "{rooms}");
    // Each user has a room of their own.
    let carol = server.user("carol").await;
    notify(&admin, &carol, "for carol").await.ok();
    assert_ne!(invitation(&carol).await.0, room);
}

async fn a_repeated_request_tells_it_once(server: &TestServer) {
    let (admin, bob) = admin_and_bob(server).await;
    let put = async |txn: &str| {
        let body = json!({"user_id": bob.id, "content": content("once")});
        request(&admin, http::Method::PUT, &format!("{PATH}/{txn}"), &body)
            .await
            .ok()
    };
    let first = put("1").await;
    assert_eq!(put("1").await, first);
    assert_ne!(put("2").await, first);
}

async fn the_room_cannot_be_left(server: &TestServer) {
    let (admin, bob) = admin_and_bob(server).await;
    notify(&admin, &bob, "stay").await.ok();
    let (room, _) = invitation(&bob).await;
    let leave = json!({"membership": "leave"});
    for _ in 0..2 {
        bob.leave(&room)
            .await
            .refused(403, "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM");
        bob.set_state(&room, "m.room.member", &bob.id, leave.clone())
            .await
            .refused(403, "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM");
        bob.join(&room).await.ok();
    }
    let other = bob.create_room().await;
    bob.leave(&other).await.ok();
}

async fn nobody_but_the_server_speaks_there(server: &TestServer) {
    let (admin, bob) = admin_and_bob(server).await;
    notify(&admin, &bob, "listen").await.ok();
    let (room, _) = invitation(&bob).await;
    bob.join(&room).await.ok();
    bob.send_event(&room, "m.room.message", "1", json!({}))
        .await
        .refused(403, "M_FORBIDDEN");
    bob.invite(&room, &admin).await.refused(403, "M_FORBIDDEN");
    let kick = json!({"user_id": "@notices:localhost"});
    act(&bob, &room, "kick", kick)
        .await
        .refused(403, "M_FORBIDDEN");
}

async fn who_invites_is_not_asked(server: &TestServer) {
    let (admin, bob) = admin_and_bob(server).await;
    let path = format!(
        "/user/{}/account_data/m.invite_permission_config",
        encode(&bob.id)
    );
    bob.put(&path, json!({"default_action": "block"}))
        .await
        .ok();
    notify(&admin, &bob, "all the same").await.ok();
    invitation(&bob).await;
}

async fn notices_may_be_any_event(server: &TestServer) {
    let (admin, bob) = admin_and_bob(server).await;
    notify(&admin, &bob, "first").await.ok();
    let (room, _) = invitation(&bob).await;
    bob.join(&room).await.ok();
    let pinned = json!({"pinned": ["$a"]});
    let body = json!({
        "user_id": bob.id,
        "type": "m.room.pinned_events",
        "state_key": "",
        "content": pinned,
    });
    request(&admin, http::Method::POST, PATH, &body).await.ok();
    let state = bob.state(&room, "m.room.pinned_events", "").await;
    assert_eq!(state.ok(), pinned);
}

async fn administrators_alone_send_notices(server: &TestServer) {
    let (_, bob) = admin_and_bob(server).await;
    notify(&bob, &bob, "I am the server")
        .await
        .refused(403, "M_FORBIDDEN");
    let body = json!({"user_id": bob.id, "content": content("x")});
    server
        .post(PATH, body)
        .await
        .refused(401, "M_MISSING_TOKEN");
}

async fn nobody_is_the_sender(server: &TestServer) {
    let (admin, bob) = admin_and_bob(server).await;
    notify(&admin, &bob, "hello").await.ok();
    for password in ["", "notices", "password"] {
        let body = json!({
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": "notices"},
            "password": password,
        });
        server
            .post("/_matrix/client/v3/login", body)
            .await
            .refused(403, "M_FORBIDDEN");
    }
    // Who has the name and can log in is not made the server's voice.
    change_account(server, "@notices:localhost", |account| {
        account.password_hash = Some("$argon2id$".to_owned());
    })
    .await;
    notify(&admin, &bob, "again")
        .await
        .refused(400, "M_UNKNOWN");
}

async fn refuses_whom_it_does_not_know(server: &TestServer) {
    let (admin, _) = admin_and_bob(server).await;
    for user in ["@nobody:localhost", "@bob:elsewhere.example"] {
        let body = json!({"user_id": user, "content": content("x")});
        request(&admin, http::Method::POST, PATH, &body)
            .await
            .refused(404, "M_NOT_FOUND");
    }
}

async fn refuses_bad_bodies(server: &TestServer) {
    let (admin, bob) = admin_and_bob(server).await;
    for (body, errcode) in [
        (json!([]), "M_BAD_JSON"),
        (json!({}), "M_MISSING_PARAM"),
        (json!({"user_id": bob.id}), "M_MISSING_PARAM"),
        (json!({"user_id": bob.id, "content": 5}), "M_BAD_JSON"),
        (
            json!({"user_id": bob.id, "content": {"a": 1.5}}),
            "M_BAD_JSON",
        ),
        (json!({"user_id": "bob", "content": {}}), "M_INVALID_PARAM"),
    ] {
        request(&admin, http::Method::POST, PATH, &body)
            .await
            .refused(400, errcode);
    }
}

fn content(text: &str) -> Value {
    json!({"msgtype": "m.text", "body": text})
}

async fn notify(admin: &User, target: &User, text: &str) -> Answer {
    let body = json!({"user_id": target.id, "content": content(text)});
    request(admin, http::Method::POST, PATH, &body).await
}

async fn request(user: &User, method: http::Method, path: &str, body: &Value) -> Answer {
    user.request(method, path, body.to_string()).await
}

async fn admin_and_bob(server: &TestServer) -> (User, User) {
    let admin = server.user("admin").await;
    change_account(server, &admin.id, |account| account.admin = true).await;
    (admin, server.user("bob").await)
}

/// The only room that a user is invited to.
async fn invitation(user: &User) -> (String, Value) {
    let synced = user.sync(None).await;
    let invited = synced["rooms"]["invite"].as_object().unwrap();
    assert_eq!(invited.len(), 1, "{synced}");
    let (room, invite) = invited.iter().next().unwrap();
    (room.clone(), invite.clone())
}

async fn tags(user: &User, room: &str) -> Value {
    let path = format!("/user/{}/rooms/{}/tags", encode(&user.id), encode(room));
    user.get(&path).await.ok()["tags"].clone()
}
