//! `POST /_matrix/client/v3/rooms/{roomId}/report`,
//! `POST /_matrix/client/v3/rooms/{roomId}/report/{eventId}` and
//! `POST /_matrix/client/v3/users/{userId}/report`

use http::Method;
use myelin_store::reports::{self, Report, Reported};
use myelin_testkit::{TestServer, encode, three_modes};
use serde_json::json;

use crate::covers;

three_modes!(
    reports_are_kept_for_the_operators,
    what_is_not_there_cannot_be_reported,
    an_event_is_reported_by_who_can_see_it,
    a_room_may_be_reported_from_outside,
    odd_reports_are_refused,
);

covers! {
    "POST /_matrix/client/v3/rooms/{roomId}/report":
        works = reports_are_kept_for_the_operators,
        400 = odd_reports_are_refused,
        404 = what_is_not_there_cannot_be_reported,
        outsider = a_room_may_be_reported_from_outside;
    "POST /_matrix/client/v3/rooms/{roomId}/report/{eventId}":
        works = reports_are_kept_for_the_operators,
        400 = odd_reports_are_refused,
        404 = what_is_not_there_cannot_be_reported,
        outsider = an_event_is_reported_by_who_can_see_it;
    "POST /_matrix/client/v3/users/{userId}/report":
        works = reports_are_kept_for_the_operators,
        400 = odd_reports_are_refused,
        404 = what_is_not_there_cannot_be_reported;
}

fn room_path(room: &str) -> String {
    format!("/rooms/{}/report", encode(room))
}

fn event_path(room: &str, event: &str) -> String {
    format!("{}/{}", room_path(room), encode(event))
}

fn user_path(user: &str) -> String {
    format!("/users/{}/report", encode(user))
}

async fn kept(server: &TestServer) -> Vec<Report> {
    let store = server.stores().remove(0);
    reports::list(&mut store.read(), (0, 0), 100).await.unwrap()
}

async fn number(server: &TestServer, name: &str) -> i64 {
    let store = server.stores().remove(0);
    let number = store.find_interned(name.as_bytes()).await.unwrap();
    number.unwrap()
}

async fn reports_are_kept_for_the_operators(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let event = alice.send(&room, "offensive").await;
    for (path, body) in [
        (
            event_path(&room, &event),
            json!({"reason": "sad", "score": -100}),
        ),
        (event_path(&room, &event), json!({})),
        (room_path(&room), json!({"reason": ""})),
        (user_path(&alice.id), json!({"reason": "rude"})),
    ] {
        assert_eq!(bob.post(&path, body).await.ok(), json!({}));
        server.clock().advance(std::time::Duration::from_secs(1));
    }
    let kept = kept(server).await;
    let reporter = number(server, &bob.id).await;
    assert!(kept.iter().all(|report| report.reporter == reporter));
    let (room, alice) = (number(server, &room).await, number(server, &alice.id).await);
    let reasons: Vec<_> = kept.iter().map(|report| report.reason.as_deref()).collect();
    assert_eq!(reasons, [Some("sad"), None, Some(""), Some("rude")]);
    let scores: Vec<_> = kept.iter().map(|report| report.score).collect();
    assert_eq!(scores, [Some(-100), None, None, None]);
    assert!(matches!(kept[0].about, Reported::Event { room: found, .. } if found == room));
    assert_eq!(kept[2].about, Reported::Room(room));
    assert_eq!(kept[3].about, Reported::User(alice));
}

async fn what_is_not_there_cannot_be_reported(server: &TestServer) {
    let alice = server.user("alice").await;
    let (room, other) = (alice.create_room().await, alice.create_room().await);
    let event = alice.send(&other, "elsewhere").await;
    for path in [
        room_path("!nowhere:localhost"),
        event_path("!nowhere:localhost", "$nothing"),
        event_path(&room, "$nothing"),
        event_path(&room, &event),
        user_path("@nobody:localhost"),
        user_path("@nobody:elsewhere.example"),
    ] {
        let answer = alice.post(&path, json!({"reason": "sad"})).await;
        assert_eq!(answer.code(), (404, "M_NOT_FOUND"), "{path}");
    }
    assert!(kept(server).await.is_empty());
}

async fn an_event_is_reported_by_who_can_see_it(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice
        .create_room_with(json!({
            "preset": "public_chat",
            "initial_state": [{
                "type": "m.room.history_visibility",
                "content": {"history_visibility": "joined"},
            }],
        }))
        .await;
    let early = alice.send(&room, "before bob").await;
    let body = json!({"reason": "sad"});
    let report = async |event: &str| bob.post(&event_path(&room, event), body.clone()).await;
    report(&early).await.refused(404, "M_NOT_FOUND");
    bob.join(&room).await.ok();
    let late = alice.send(&room, "to bob").await;
    report(&early).await.refused(404, "M_NOT_FOUND");
    report(&late).await.ok();
    bob.leave(&room).await.ok();
    report(&late).await.refused(404, "M_NOT_FOUND");
    assert_eq!(kept(server).await.len(), 1);
}

async fn a_room_may_be_reported_from_outside(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_room().await;
    let body = json!({"reason": "heard of it"});
    bob.post(&room_path(&room), body).await.ok();
    assert_eq!(kept(server).await.len(), 1);
}

async fn odd_reports_are_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let event = alice.send(&room, "hello").await;
    let long = json!({"reason": "x".repeat(1_001)});
    for (path, body) in [
        (event_path(&room, &event), long.clone()),
        (event_path(&room, &event), json!({"score": 1})),
        (event_path(&room, &event), json!({"score": -101})),
        (event_path("nonsense", &event), json!({})),
        (event_path(&room, "nonsense"), json!({})),
        (room_path(&room), long.clone()),
        (room_path("nonsense"), json!({"reason": ""})),
        (user_path(&alice.id), long.clone()),
        (user_path("nonsense"), json!({"reason": ""})),
    ] {
        let answer = alice.post(&path, body.clone()).await;
        assert_eq!(answer.code(), (400, "M_INVALID_PARAM"), "{path} {body}");
    }
    for path in [
        room_path(&room),
        event_path(&room, &event),
        user_path(&alice.id),
    ] {
        for (body, errcode) in [
            (r#"{"reason": 1}"#, "M_BAD_JSON"),
            ("[]", "M_BAD_JSON"),
            ("{", "M_NOT_JSON"),
        ] {
            let answer = alice.request(Method::POST, &path, body.to_owned()).await;
            assert_eq!(answer.code(), (400, errcode), "{path} {body}");
        }
    }
    assert!(kept(server).await.is_empty());
}
