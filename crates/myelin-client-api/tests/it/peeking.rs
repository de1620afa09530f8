//! `GET /_matrix/client/v3/events`, `/events/{eventId}`, `/initialSync` and
//! `/rooms/{roomId}/initialSync`

use myelin_testkit::{TestServer, User, encode, text, three_modes};
use serde_json::{Value, json};

use crate::covers;

three_modes!(
    the_stream_brings_what_happens,
    the_stream_wakes_up,
    the_stream_of_one_room_can_be_listened_to_from_outside,
    the_stream_keeps_what_the_room_hides,
    refuses_what_is_no_token,
    rooms_that_are_closed_cannot_be_listened_to,
    shows_an_event,
    hides_events_that_the_user_may_not_see,
    shows_all_rooms,
    shows_rooms_left_if_asked,
    shows_an_overview_to_who_has_nothing,
    its_end_continues_in_the_stream,
    shows_one_room,
    a_room_can_be_looked_into,
    who_left_sees_the_room_as_it_was,
    strangers_see_no_room,
);

covers! {
    "GET /_matrix/client/v3/events":
        works = the_stream_brings_what_happens,
        400 = refuses_what_is_no_token;
    "GET /_matrix/client/v3/events/{eventId}":
        works = shows_an_event,
        404 = hides_events_that_the_user_may_not_see;
    "GET /_matrix/client/v3/initialSync":
        works = shows_all_rooms,
        404 = shows_an_overview_to_who_has_nothing;
    "GET /_matrix/client/v3/rooms/{roomId}/initialSync":
        works = shows_one_room,
        403 = strangers_see_no_room,
        outsider = strangers_see_no_room;
}

async fn the_stream_brings_what_happens(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let from = now(&alice).await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let sent = bob.send(&room, "hello").await;
    let other = bob.create_room().await;
    bob.send(&other, "not for her").await;
    bob.invite(&other, &alice).await.ok();
    let events = alice
        .get(&format!("/events?from={from}&timeout=0"))
        .await
        .ok();
    assert_eq!(events["start"], from.as_str());
    let chunk = events["chunk"].as_array().unwrap();
    assert_eq!(chunk[0]["type"], "m.room.create");
    let message = chunk
        .iter()
        .find(|event| event["event_id"] == sent)
        .unwrap();
    assert_eq!(message["room_id"], room);
    assert_eq!(message["sender"], bob.id);
    assert!(
        message.get("user_id").is_none(),
        "it has today's form: {message}"
    );
    let of_other: Vec<&Value> = chunk
        .iter()
        .filter(|event| event["room_id"] == other)
        .collect();
    assert_eq!(of_other.len(), 1, "{events}");
    assert_eq!(of_other[0]["content"]["membership"], "invite");
    let from = text(&events, "end");
    let events = alice
        .get(&format!("/events?from={from}&timeout=0"))
        .await
        .ok();
    assert_eq!(events["chunk"], json!([]));
    assert_eq!(events["start"], events["end"]);
}

async fn the_stream_wakes_up(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let from = now(&alice).await;
    let path = format!("/events?from={from}&timeout=15000");
    let (events, sent) = tokio::join!(alice.get(&path), bob.send(&room, "hello"));
    assert_eq!(events.headers["cache-control"], "no-store");
    assert_eq!(ids(&events.ok()), [sent]);
}

async fn the_stream_of_one_room_can_be_listened_to_from_outside(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = world_readable(&alice).await;
    let other = world_readable(&alice).await;
    let from = now(&bob).await;
    alice.send(&other, "elsewhere").await;
    let path = format!("/events?room_id={}&from={from}", encode(&room));
    let events = bob.get(&format!("{path}&timeout=0")).await.ok();
    assert_eq!(events["chunk"], json!([]));
    let waiting = format!("{path}&timeout=15000");
    let (events, sent) = tokio::join!(bob.get(&waiting), alice.send(&room, "hello"));
    let events = events.ok();
    assert_eq!(ids(&events), [sent]);
    let path = format!("/events?room_id={}&timeout=0", encode(&room));
    let from = text(&events, "end");
    let events = bob.get(&format!("{path}&from={from}")).await.ok();
    assert_eq!(events["chunk"], json!([]), "each event comes once");
}

async fn the_stream_keeps_what_the_room_hides(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    set_visibility(&alice, &room, "joined").await;
    let from = now(&bob).await;
    let hidden = alice.send(&room, "before he came").await;
    bob.join(&room).await.ok();
    let sent = alice.send(&room, "after he came").await;
    for path in ["/events", "/_matrix/client/api/v1/events"] {
        let events = bob.get(&format!("{path}?from={from}&timeout=0")).await.ok();
        let ids = ids(&events);
        assert!(
            ids.contains(&sent) && !ids.contains(&hidden),
            "{path}: {events}"
        );
    }
    let path = "/_matrix/client/api/v1/initialSync";
    let sync = bob.get(path).await.ok();
    let chunk = &sync["rooms"][0]["messages"];
    assert!(
        ids(chunk).contains(&sent) && !ids(chunk).contains(&hidden),
        "{sync}"
    );
}

async fn refuses_what_is_no_token(server: &TestServer) {
    let alice = server.user("alice").await;
    for query in [
        "from=garbage",
        "from=t1-1_0_0",
        "timeout=soon",
        "limit=x",
        "room_id=nonsense",
    ] {
        let answer = alice.get(&format!("/events?timeout=0&{query}")).await;
        assert_eq!(answer.status, 400, "{query}: {}", answer.text);
    }
    for query in ["limit=x", "archived=perhaps"] {
        let answer = alice.get(&format!("/initialSync?{query}")).await;
        answer.refused(400, "M_INVALID_PARAM");
    }
}

async fn rooms_that_are_closed_cannot_be_listened_to(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    for room in [room.as_str(), "!unheard-of:localhost"] {
        let path = format!("/events?timeout=0&room_id={}", encode(room));
        bob.get(&path).await.refused(403, "M_FORBIDDEN");
    }
    // A room that closes while somebody listens shows nothing more.
    let room = world_readable(&alice).await;
    let from = now(&bob).await;
    set_visibility(&alice, &room, "joined").await;
    alice.send(&room, "among us").await;
    let path = format!("/events?timeout=0&room_id={}&from={from}", encode(&room));
    bob.get(&path).await.refused(403, "M_FORBIDDEN");
}

async fn shows_an_event(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let sent = alice.send(&room, "hello").await;
    let event = alice.get(&format!("/events/{}", encode(&sent))).await.ok();
    assert_eq!(event["event_id"], sent);
    assert_eq!(event["room_id"], room);
    assert_eq!(event["content"]["body"], "hello");
}

async fn hides_events_that_the_user_may_not_see(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_room().await;
    let sent = alice.send(&room, "hello").await;
    for id in [encode(&sent), "%24unheard-of".to_owned()] {
        bob.get(&format!("/events/{id}"))
            .await
            .refused(404, "M_NOT_FOUND");
    }
}

async fn shows_all_rooms(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let body = json!({"preset": "public_chat", "visibility": "public"});
    let room = alice.create_room_with(body).await;
    for number in 0..12 {
        alice.send(&room, &number.to_string()).await;
    }
    let other = bob.create_room().await;
    bob.invite(&other, &alice).await.ok();
    let path = format!("/user/{}/account_data/org.example.lamp", encode(&alice.id));
    alice.put(&path, json!({"on": true})).await.ok();
    let path = format!(
        "/user/{}/rooms/{}/account_data/org.example.lamp",
        encode(&alice.id),
        encode(&room)
    );
    alice.put(&path, json!({"on": false})).await.ok();
    for (query, wanted) in [("", 10), ("?limit=2", 2)] {
        let sync = alice.get(&format!("/initialSync{query}")).await.ok();
        let lamp = json!([{"type": "org.example.lamp", "content": {"on": true}}]);
        assert_eq!(sync["account_data"], lamp);
        assert!(!sync["presence"].as_array().unwrap().is_empty(), "{sync}");
        let joined = of(&sync, &room);
        assert_eq!(joined["membership"], "join");
        assert_eq!(joined["visibility"], "public");
        assert_eq!(joined["account_data"][0]["content"]["on"], false);
        let chunk = joined["messages"]["chunk"].as_array().unwrap();
        assert_eq!(chunk.len(), wanted);
        assert_eq!(chunk.last().unwrap()["content"]["body"], "11");
        assert_eq!(joined["messages"]["end"], sync["end"]);
        let from = text(&joined["messages"], "start");
        let query = format!("dir=b&limit=1&from={from}");
        let page = alice.messages(&room, &query).await.ok();
        let before = (11 - wanted).to_string();
        assert_eq!(page["chunk"][0]["content"]["body"], before);
        let state = joined["state"].as_array().unwrap();
        assert!(state.iter().any(|event| event["type"] == "m.room.create"));
        let invited = of(&sync, &other);
        assert_eq!(invited["membership"], "invite");
        assert_eq!(invited["invite"]["sender"], bob.id);
        assert_eq!(invited["invite"]["state_key"], alice.id);
        assert!(invited.get("state").is_none(), "{invited}");
    }
}

async fn shows_rooms_left_if_asked(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    bob.send(&room, "hello").await;
    bob.leave(&room).await.ok();
    alice.send(&room, "he is gone").await;
    let declined = alice.create_room().await;
    alice.invite(&declined, &bob).await.ok();
    bob.leave(&declined).await.ok();
    for query in ["", "?archived=false"] {
        let sync = bob.get(&format!("/initialSync{query}")).await.ok();
        assert_eq!(sync["rooms"], json!([]));
    }
    let sync = bob.get("/initialSync?archived=true").await.ok();
    assert_eq!(sync["rooms"].as_array().unwrap().len(), 1, "{sync}");
    let left = of(&sync, &room);
    assert_eq!(left["membership"], "leave");
    let last = left["messages"]["chunk"]
        .as_array()
        .unwrap()
        .last()
        .unwrap();
    assert_eq!(last["state_key"], bob.id);
}

/// The answer 404 of the specification tells of an avatar, which is not asked for here.
async fn shows_an_overview_to_who_has_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let sync = alice.get("/initialSync").await.ok();
    assert_eq!(sync["rooms"], json!([]));
    assert_eq!(sync["account_data"], json!([]));
}

async fn its_end_continues_in_the_stream(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    alice.send(&room, "before").await;
    let end = text(&alice.get("/initialSync").await.ok(), "end");
    let sent = alice.send(&room, "after").await;
    let events = alice
        .get(&format!("/events?from={end}&timeout=0"))
        .await
        .ok();
    assert_eq!(ids(&events), [sent]);
}

async fn shows_one_room(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let sent = alice.send(&room, "hello").await;
    let info = overview(&alice, &room).await;
    assert_eq!(info["room_id"], room);
    assert_eq!(info["membership"], "join");
    assert_eq!(info["visibility"], "private");
    assert_eq!(ids(&info["messages"]).last(), Some(&sent));
    assert_eq!(info["account_data"], json!([]));
    let from = text(&info["messages"], "end");
    let sent = alice.send(&room, "and then").await;
    let events = alice
        .get(&format!("/events?from={from}&timeout=0"))
        .await
        .ok();
    assert_eq!(ids(&events), [sent]);
}

async fn a_room_can_be_looked_into(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    let hidden = alice.send(&room, "among us").await;
    set_visibility(&alice, &room, "world_readable").await;
    let sent = alice.send(&room, "for everybody").await;
    let info = overview(&bob, &room).await;
    assert!(info.get("membership").is_none(), "{info}");
    let ids = ids(&info["messages"]);
    assert!(ids.contains(&sent) && !ids.contains(&hidden), "{info}");
    assert!(!info["state"].as_array().unwrap().is_empty());
}

async fn who_left_sees_the_room_as_it_was(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let topic = json!({"topic": "then"});
    alice.set_state(&room, "m.room.topic", "", topic).await.ok();
    bob.leave(&room).await.ok();
    let topic = json!({"topic": "now"});
    alice.set_state(&room, "m.room.topic", "", topic).await.ok();
    let info = overview(&bob, &room).await;
    assert_eq!(info["membership"], "leave");
    let state = info["state"].as_array().unwrap();
    let topic = state
        .iter()
        .find(|event| event["type"] == "m.room.topic")
        .unwrap();
    assert_eq!(topic["content"]["topic"], "then");
    let last = info["messages"]["chunk"]
        .as_array()
        .unwrap()
        .last()
        .unwrap();
    assert_eq!(last["state_key"], bob.id);
}

async fn strangers_see_no_room(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    for room in [room.as_str(), "!unheard-of:localhost"] {
        let path = format!("/rooms/{}/initialSync", encode(room));
        bob.get(&path).await.refused(403, "M_FORBIDDEN");
    }
}

async fn world_readable(user: &User) -> String {
    let room = user.create_public_room().await;
    set_visibility(user, &room, "world_readable").await;
    room
}

async fn set_visibility(user: &User, room: &str, visibility: &str) {
    let content = json!({"history_visibility": visibility});
    user.set_state(room, "m.room.history_visibility", "", content)
        .await
        .ok();
}

async fn overview(user: &User, room: &str) -> Value {
    let path = format!("/rooms/{}/initialSync", encode(room));
    user.get(&path).await.ok()
}

async fn now(user: &User) -> String {
    text(&user.get("/events?timeout=0").await.ok(), "end")
}

fn ids(events: &Value) -> Vec<String> {
    let events = events["chunk"].as_array().unwrap().iter();
    events
        .filter_map(|event| Some(event["event_id"].as_str()?.to_owned()))
        .collect()
}

fn of<'a>(sync: &'a Value, room: &str) -> &'a Value {
    let mut rooms = sync["rooms"].as_array().unwrap().iter();
    rooms.find(|shown| shown["room_id"] == room).unwrap()
}
