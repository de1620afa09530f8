//! Presence in `GET /_matrix/client/api/v1/initialSync`

use std::time::Duration;

use myelin_testkit::{TestServer, User, three_modes};
use serde_json::Value;

use super::get;

three_modes!(
    grows_until_the_user_does_something,
    tells_of_those_in_the_same_rooms,
    a_second_session_is_activity_too,
);

async fn grows_until_the_user_does_something(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    assert_eq!(ago(server, &alice, &alice).await, Some(0));
    server.clock().advance(Duration::from_mins(10));
    assert_eq!(ago(server, &alice, &alice).await, Some(600_000));
    server.clock().advance(Duration::from_secs(10));
    assert_eq!(
        ago(server, &alice, &alice).await,
        Some(610_000),
        "reading is not activity"
    );
    alice.send(&room, "hello").await;
    assert_eq!(ago(server, &alice, &alice).await, Some(0));
    // Recorded at most once a minute.
    server.clock().advance(Duration::from_secs(59));
    alice.send(&room, "still here").await;
    assert_eq!(ago(server, &alice, &alice).await, Some(59_000));
    server.clock().advance(Duration::from_secs(1));
    alice.send(&room, "still here").await;
    assert_eq!(ago(server, &alice, &alice).await, Some(0));
}

async fn tells_of_those_in_the_same_rooms(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let carol = server.user("carol").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    alice.invite(&room, &carol).await.ok();
    server.clock().advance(Duration::from_mins(5));
    bob.send(&room, "hello").await;
    server.clock().advance(Duration::from_mins(1));
    assert_eq!(ago(server, &alice, &bob).await, Some(60_000));
    assert_eq!(
        ago(server, &alice, &carol).await,
        None,
        "who is only invited is not in the room"
    );
    assert_eq!(ago(server, &carol, &bob).await, None);
    assert_eq!(ago(server, &carol, &carol).await, Some(360_000));
}

async fn a_second_session_is_activity_too(server: &TestServer) {
    let alice = server.user("alice").await;
    server.clock().advance(Duration::from_mins(5));
    let login = serde_json::json!({
        "type": "m.login.password",
        "user": "alice",
        "password": myelin_testkit::PASSWORD,
    });
    server
        .post("/_matrix/client/api/v1/login", login.clone())
        .await
        .ok();
    assert_eq!(ago(server, &alice, &alice).await, Some(0));
    server.clock().advance(Duration::from_mins(5));
    // The same device again, by today's API.
    let mut again = login;
    again["device_id"] = alice.device.as_str().into();
    let answer = server.post("/_matrix/client/v3/login", again).await.ok();
    assert_eq!(
        ago(server, &server.user_from(&answer), &alice).await,
        Some(0)
    );
}

/// How long ago `user` was active, as `reader` is told.
async fn ago(server: &TestServer, reader: &User, user: &User) -> Option<u64> {
    let sync = get(server, reader, "/initialSync").await.ok();
    let presence = sync["presence"].as_array().unwrap().iter();
    let about: Vec<&Value> = presence
        .filter(|event| event["content"]["user_id"] == user.id)
        .collect();
    assert!(about.len() <= 1, "{sync}");
    let event = about.first()?;
    assert_eq!(event["type"], "m.presence");
    Some(event["content"]["last_active_ago"].as_u64().unwrap())
}
