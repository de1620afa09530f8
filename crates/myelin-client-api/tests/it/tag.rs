//! `GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags`, and `PUT` and `DELETE` of
//! `/_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}`

use http::Method;
use myelin_testkit::{TestServer, User, encode, three_modes};
use serde_json::{Value, json};

use crate::covers;

three_modes!(
    what_is_added_is_listed_until_it_is_removed,
    tags_are_account_data,
    tags_added_at_once_are_all_kept,
    each_user_has_their_own,
    rooms_may_be_tagged_that_one_is_not_in,
    odd_tags_are_refused,
);

covers! {
    "GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags":
        works = what_is_added_is_listed_until_it_is_removed,
        outsider = rooms_may_be_tagged_that_one_is_not_in,
        other_user = each_user_has_their_own;
    "PUT /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}":
        works = what_is_added_is_listed_until_it_is_removed,
        400 = odd_tags_are_refused,
        outsider = rooms_may_be_tagged_that_one_is_not_in,
        other_user = each_user_has_their_own;
    "DELETE /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}":
        works = what_is_added_is_listed_until_it_is_removed,
        400 = odd_tags_are_refused,
        outsider = rooms_may_be_tagged_that_one_is_not_in,
        other_user = each_user_has_their_own;
}

fn list(user: &str, room: &str) -> String {
    format!("/user/{}/rooms/{}/tags", encode(user), encode(room))
}

fn path(user: &str, room: &str, tag: &str) -> String {
    format!("{}/{}", list(user, room), encode(tag))
}

async fn tags(user: &User, room: &str) -> Value {
    user.get(&list(&user.id, room)).await.ok()["tags"].clone()
}

async fn remove(user: &User, room: &str, tag: &str) {
    let path = path(&user.id, room, tag);
    let answer = user.request(Method::DELETE, &path, String::new()).await;
    assert_eq!(answer.ok(), json!({}));
}

async fn what_is_added_is_listed_until_it_is_removed(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let other = alice.create_room().await;
    assert_eq!(tags(&alice, &room).await, json!({}));
    for (tag, content) in [
        ("m.favourite", json!({"order": 0.25})),
        ("u.Work /\u{e4}", json!({})),
        ("m.lowpriority", json!({"order": 1, "org.example.x": "y"})),
        ("m.favourite", json!({"order": 0.5})),
    ] {
        let answer = alice.put(&path(&alice.id, &room, tag), content).await;
        assert_eq!(answer.ok(), json!({}));
    }
    let all = json!({
        "m.favourite": {"order": 0.5},
        "u.Work /\u{e4}": {},
        "m.lowpriority": {"order": 1, "org.example.x": "y"},
    });
    assert_eq!(tags(&alice, &room).await, all);
    assert_eq!(tags(&alice, &other).await, json!({}));
    for tag in ["m.favourite", "m.lowpriority", "m.never_there"] {
        remove(&alice, &room, tag).await;
    }
    assert_eq!(tags(&alice, &room).await, json!({"u.Work /\u{e4}": {}}));
}

async fn tags_are_account_data(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let data = format!(
        "/user/{}/rooms/{}/account_data/m.tag",
        encode(&alice.id),
        encode(&room)
    );
    let put = async |tag: &str| {
        alice
            .put(&path(&alice.id, &room, tag), json!({}))
            .await
            .ok();
    };
    put("u.a").await;
    assert_eq!(alice.get(&data).await.ok(), json!({"tags": {"u.a": {}}}));
    let odd = json!({"tags": {"u.b": {"order": 0.5}, "u.odd": 1}});
    alice.put(&data, odd).await.ok();
    assert_eq!(tags(&alice, &room).await, json!({"u.b": {"order": 0.5}}));
    alice.put(&data, json!({"tags": 1})).await.ok();
    put("u.c").await;
    remove(&alice, &room, "u.c").await;
    assert_eq!(alice.get(&data).await.ok(), json!({"tags": {}}));
}

async fn tags_added_at_once_are_all_kept(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..6 {
        let path = path(&alice.id, &room, &format!("u.{number}"));
        let alice = alice.clone();
        tasks.spawn(async move { alice.put(&path, json!({})).await.ok() });
    }
    tasks.join_all().await;
    assert_eq!(tags(&alice, &room).await.as_object().unwrap().len(), 6);
}

async fn each_user_has_their_own(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let path = path(&alice.id, &room, "u.a");
    alice.put(&path, json!({})).await.ok();
    assert_eq!(tags(&bob, &room).await, json!({}));
    bob.get(&list(&alice.id, &room))
        .await
        .refused(403, "M_FORBIDDEN");
    bob.put(&path, json!({})).await.refused(403, "M_FORBIDDEN");
    bob.request(Method::DELETE, &path, String::new())
        .await
        .refused(403, "M_FORBIDDEN");
    assert_eq!(tags(&alice, &room).await, json!({"u.a": {}}));
}

async fn rooms_may_be_tagged_that_one_is_not_in(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_room().await;
    bob.put(&path(&bob.id, &room, "u.a"), json!({})).await.ok();
    assert_eq!(tags(&bob, &room).await, json!({"u.a": {}}));
    assert_eq!(tags(&alice, &room).await, json!({}));
    remove(&bob, &room, "u.a").await;
}

async fn odd_tags_are_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let long = "x".repeat(256);
    for (room, tag, content) in [
        (room.as_str(), "u.a", json!({"order": "first"})),
        (&room, &long, json!({})),
        (&room, "a\0b", json!({})),
        ("nonsense", "u.a", json!({})),
        ("!a\0b:localhost", "u.a", json!({})),
    ] {
        let path = path(&alice.id, room, tag);
        let answer = alice.put(&path, content.clone()).await;
        assert_eq!(answer.code(), (400, "M_INVALID_PARAM"), "{path} {content}");
        if content == json!({}) {
            let answer = alice.request(Method::DELETE, &path, String::new()).await;
            assert_eq!(answer.code(), (400, "M_INVALID_PARAM"), "{path}");
        }
    }
    let large = json!({"a": "x".repeat(300)});
    let answer = alice.put(&path(&alice.id, &room, "u.a"), large).await;
    answer.refused(413, "M_TOO_LARGE");
}
