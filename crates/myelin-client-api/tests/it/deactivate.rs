//! `POST /_matrix/client/v3/account/deactivate`

use std::time::Duration;

use http::Method;
use myelin_store::account_data;
use myelin_testkit::{PASSWORD, TestServer, User, encode, three_modes, wait_until};
use serde_json::{Value, json};

use crate::{
    accounts::{Accounts, access_token, change_account},
    covers,
};

three_modes!(
    a_deactivated_account_is_closed_for_ever,
    erasure_is_remembered,
    rooms_are_left_and_invites_rejected,
    profile_and_data_are_gone,
    who_comes_after_the_erasure_sees_nothing_that_was_said,
);

covers! {
    "POST /_matrix/client/v3/account/deactivate":
        works = a_deactivated_account_is_closed_for_ever;
}

const PATH: &str = "/_matrix/client/v3/account/deactivate";

async fn a_deactivated_account_is_closed_for_ever(server: &TestServer) {
    let api = Accounts { server };
    let phone = access_token(&api.register("alice", json!({})).await);
    let laptop = access_token(&api.login(json!({})).await);
    let answer = api
        .approved(Method::POST, PATH, &phone, json!({"id_server": "x.org"}))
        .await;
    assert_eq!(answer.ok(), json!({"id_server_unbind_result": "success"}));
    api.assert_dead(&phone).await;
    api.assert_dead(&laptop).await;
    // Its password is gone, so nobody can prove to be its user.
    let answer = api.login(json!({})).await;
    assert_eq!(answer.code(), (403, "M_FORBIDDEN"));
    let answer = api.register("alice", json!({})).await;
    assert_eq!(answer.code(), (400, "M_USER_IN_USE"));
}

async fn erasure_is_remembered(server: &TestServer) {
    let api = Accounts { server };
    let phone = access_token(&api.register("alice", json!({})).await);
    api.approved(Method::POST, PATH, &phone, json!({"erase": true}))
        .await
        .ok();
    let now_ms = server.now_ms().cast_signed();
    change_account(server, "@alice:localhost", |user| {
        assert_eq!(user.erased_ms, Some(now_ms));
        assert_eq!(user.deactivated_ms, Some(now_ms));
        assert_eq!(user.password_hash, None);
    })
    .await;
}

pub(crate) async fn deactivate(server: &TestServer, user: &User) {
    deactivate_with(server, user, json!({})).await;
}

async fn deactivate_with(server: &TestServer, user: &User, mut body: Value) {
    let auth = json!({
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": user.id},
        "password": PASSWORD,
    });
    body["auth"] = auth;
    let answer = user.post(PATH, body).await;
    answer.ok();
    let answer = user.get("/account/whoami").await;
    assert_eq!(
        answer.code(),
        (401, "M_UNKNOWN_TOKEN"),
        "{}",
        server.now_ms()
    );
}

async fn rooms_are_left_and_invites_rejected(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let joined = bob.create_public_room().await;
    alice.join(&joined).await.ok();
    let invited = bob.create_room().await;
    bob.invite(&invited, &alice).await.ok();
    deactivate(server, &alice).await;
    let membership = async |room: &str| {
        let body = bob.state(room, "m.room.member", &alice.id).await.ok();
        body["membership"].clone()
    };
    for room in [&joined, &invited] {
        wait_until("alice has left", async || membership(room).await == "leave").await;
    }
}

async fn profile_and_data_are_gone(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let name = format!("/profile/{}/displayname", encode(&alice.id));
    alice.put(&name, json!({"displayname": "Alice"})).await.ok();
    assert_eq!(bob.get(&name).await.ok()["displayname"], "Alice");
    let data = format!("/user/{}/account_data/org.example.note", encode(&alice.id));
    alice.put(&data, json!({"a": 1})).await.ok();
    deactivate(server, &alice).await;
    let answer = bob.get(&name).await;
    assert_ne!(answer.body["displayname"], "Alice", "{answer:?}");

    let store = &server.stores()[0];
    let number = store.find_interned(alice.id.as_bytes()).await.unwrap();
    let mut read = store.read();
    let left = account_data::list_by_user(&mut read, number.unwrap()).await;
    assert!(left.unwrap().is_empty());
}

/// What the user is shown of an event, in the room's history and alone.
async fn seen(user: &User, room: &str, event: &str) -> Value {
    let history = user.messages(room, "dir=b&limit=100").await.ok();
    let of_history = history["chunk"]
        .as_array()
        .unwrap()
        .iter()
        .find(|shown| shown["event_id"] == event)
        .unwrap()["content"]
        .clone();
    let path = format!("/rooms/{}/event/{}", encode(room), encode(event));
    assert_eq!(user.get(&path).await.ok()["content"], of_history);
    of_history
}

async fn who_comes_after_the_erasure_sees_nothing_that_was_said(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = bob.create_public_room().await;
    alice.join(&room).await.ok();
    let said = alice.send(&room, "secret").await;
    let other = bob.send(&room, "hello").await;
    // Carol comes before the erasure, and so has seen what was said before her.
    server.clock().advance(Duration::from_secs(1));
    let carol = server.user("carol").await;
    carol.join(&room).await.ok();
    server.clock().advance(Duration::from_secs(1));
    deactivate_with(server, &alice, json!({"erase": true})).await;
    server.clock().advance(Duration::from_secs(1));
    let dave = server.user("dave").await;
    dave.join(&room).await.ok();
    for witness in [&bob, &carol] {
        assert_eq!(seen(witness, &room, &said).await["body"], "secret");
    }
    assert_eq!(seen(&dave, &room, &said).await, json!({}));
    assert_eq!(seen(&dave, &room, &other).await["body"], "hello");
    let sync = dave.sync(None).await;
    assert!(!sync.to_string().contains("secret"), "{sync}");
}
