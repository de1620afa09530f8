//! `GET /_matrix/client/api/v1/events/{eventId}`

use myelin_testkit::{TestServer, encode, text, three_modes};
use serde_json::json;

use super::{get, post};

three_modes!(
    shows_an_event,
    shows_virtual_events,
    hides_what_is_not_there
);

async fn shows_an_event(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let sent = alice.send(&room, "hello").await;
    let event = get(server, &alice, &format!("/events/{}", encode(&sent)))
        .await
        .ok();
    assert_eq!(event["event_id"], sent);
    assert_eq!(event["room_id"], room);
    assert_eq!(event["content"]["body"], "hello");
    assert_eq!(event["user_id"], alice.id);
}

async fn shows_virtual_events(server: &TestServer) {
    let alice = server.user("alice").await;
    post(server, &alice, "/createRoom", json!({})).await.ok();
    let sync = get(server, &alice, "/initialSync").await.ok();
    let messages = sync["rooms"][0]["messages"]["chunk"].as_array().unwrap();
    let mut found = 0;
    for event in messages {
        let id = text(event, "event_id");
        found += usize::from(id.contains('~'));
        let again = get(server, &alice, &format!("/events/{}", encode(&id)))
            .await
            .ok();
        assert_eq!(again["type"], event["type"]);
        assert_eq!(again["content"], event["content"]);
    }
    assert_eq!(found, 3);
    let message = text(&messages[0], "event_id");
    for id in [format!("{message}~ops"), format!("{message}~nothing")] {
        get(server, &alice, &format!("/events/{}", encode(&id)))
            .await
            .refused(404, "M_NOT_FOUND");
    }
}

async fn hides_what_is_not_there(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_room().await;
    let sent = alice.send(&room, "hello").await;
    for id in [encode(&sent), "%24unheard-of".to_owned(), "x".to_owned()] {
        get(server, &bob, &format!("/events/{id}"))
            .await
            .refused(404, "M_NOT_FOUND");
    }
}
