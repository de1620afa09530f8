//! `GET /_matrix/client/api/v1/rooms/{roomId}/initialSync`

use myelin_testkit::{TestServer, text, three_modes};
use serde_json::json;

use super::{get, post, room_path};

three_modes!(shows_one_room, members_alone_may_look);

async fn shows_one_room(server: &TestServer) {
    let alice = server.user("alice").await;
    alice.create_room().await;
    let answer = post(server, &alice, "/createRoom", json!({})).await.ok();
    let room = text(&answer, "room_id");
    let sent = alice.send(&room, "hello").await;
    let path = room_path(&room, "initialSync?limit=1");
    let shown = get(server, &alice, &path).await.ok();
    assert_eq!(shown["room_id"], room);
    assert_eq!(shown["membership"], "join");
    assert_eq!(shown["visibility"], "public");
    assert_eq!(shown["messages"]["chunk"].as_array().unwrap().len(), 1);
    assert_eq!(shown["messages"]["chunk"][0]["event_id"], sent);
    assert_eq!(shown["presence"][0]["content"]["user_id"], alice.id);
    let all = get(server, &alice, "/initialSync?limit=1").await.ok();
    let same = all["rooms"].as_array().unwrap().iter();
    let same = same.filter(|other| other["room_id"] == room).count();
    assert_eq!(same, 1, "{all}");
    let from = text(&shown["messages"], "end");
    let sent = alice.send(&room, "and then").await;
    let events = get(server, &alice, &format!("/events?timeout=0&from={from}"))
        .await
        .ok();
    assert_eq!(events["chunk"][0]["event_id"], sent);
}

async fn members_alone_may_look(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    get(server, &bob, &room_path(&room, "initialSync"))
        .await
        .refused(403, "M_FORBIDDEN");
    let path = room_path(&room, "initialSync?limit=x");
    get(server, &alice, &path)
        .await
        .refused(400, "M_INVALID_PARAM");
}
