//! `GET /_matrix/client/v3/rooms/{roomId}/event/{eventId}`

use std::time::Duration;

use myelin_testkit::{Answer, TestServer, User, encode, text, three_modes};
use serde_json::json;

use crate::covers;

three_modes!(
    shows_an_event,
    what_is_not_there_or_not_visible_is_not_found,
    what_was_world_readable_is_shown_to_anybody,
);

covers! {
    "GET /_matrix/client/v3/rooms/{roomId}/event/{eventId}":
        works = shows_an_event,
        404 = what_is_not_there_or_not_visible_is_not_found,
        outsider = what_is_not_there_or_not_visible_is_not_found;
}

async fn shows_an_event(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let sent = alice.send(&room, "hello").await;
    server.clock().advance(Duration::from_secs(1));
    let event = get(&alice, &room, &sent).await.ok();
    assert_eq!(event["event_id"], sent);
    assert_eq!(event["room_id"], room);
    assert_eq!(event["content"]["body"], "hello");
    assert_eq!(event["unsigned"]["age"], 1_000);
    assert_eq!(event["unsigned"]["membership"], "join");
    assert!(event["unsigned"]["transaction_id"].is_string());
}

async fn what_is_not_there_or_not_visible_is_not_found(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    let other = alice.create_public_room().await;
    let hidden = json!({"history_visibility": "joined"});
    let kind = "m.room.history_visibility";
    alice.set_state(&room, kind, "", hidden).await.ok();
    let sent = alice.send(&room, "hello").await;
    for (room, event) in [
        (&*room, "$nothing"),
        (&*other, &*sent),
        ("!nowhere:localhost", &*sent),
    ] {
        let answer = get(&alice, room, event).await;
        answer.refused(404, "M_NOT_FOUND");
    }
    get(&bob, &room, &sent).await.refused(404, "M_NOT_FOUND");
    bob.join(&room).await.ok();
    get(&bob, &room, &sent).await.refused(404, "M_NOT_FOUND");
    let sent = alice.send(&room, "welcome").await;
    get(&bob, &room, &sent).await.ok();
    bob.leave(&room).await.ok();
    get(&bob, &room, &sent).await.ok();
    let sent = alice.send(&room, "gone").await;
    get(&bob, &room, &sent).await.refused(404, "M_NOT_FOUND");
}

async fn what_was_world_readable_is_shown_to_anybody(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    let set = async |visibility: &str| {
        let content = json!({"history_visibility": visibility});
        let kind = "m.room.history_visibility";
        let answer = alice.set_state(&room, kind, "", content).await.ok();
        text(&answer, "event_id")
    };
    let opened = set("world_readable").await;
    let open = alice.send(&room, "open").await;
    let closed = set("joined").await;
    let hidden = alice.send(&room, "hidden").await;
    for event in [&opened, &open, &closed] {
        let event = get(&bob, &room, event).await.ok();
        assert_eq!(event["unsigned"]["membership"], "leave");
    }
    get(&bob, &room, &hidden).await.refused(404, "M_NOT_FOUND");
}

async fn get(user: &User, room: &str, event: &str) -> Answer {
    user.get(&format!("/rooms/{}/event/{}", encode(room), encode(event)))
        .await
}
