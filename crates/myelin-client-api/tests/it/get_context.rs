//! `GET /_matrix/client/v3/rooms/{roomId}/context/{eventId}`

use myelin_testkit::{Answer, TestServer, User, encode, text, three_modes};
use serde_json::{Value, json};

use crate::covers;

three_modes!(
    shows_what_happened_around_an_event,
    filters_what_stands_around_and_loads_members_lazily,
    shows_only_what_is_visible,
    what_is_not_visible_has_no_context,
    refuses_bad_parameters,
);

covers! {
    "GET /_matrix/client/v3/rooms/{roomId}/context/{eventId}":
        works = shows_what_happened_around_an_event,
        400 = refuses_bad_parameters,
        404 = what_is_not_visible_has_no_context,
        outsider = what_is_not_visible_has_no_context;
}

async fn shows_what_happened_around_an_event(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let mut sent = Vec::new();
    for number in 0..9 {
        sent.push(alice.send(&room, &number.to_string()).await);
    }
    let context = get(&alice, &room, &sent[4], "limit=5").await.ok();
    assert_eq!(bodies(&context["events_before"]), ["3", "2"]);
    assert_eq!(context["event"]["event_id"], sent[4]);
    assert_eq!(bodies(&context["events_after"]), ["5", "6", "7"]);
    assert_eq!(context["state"].as_array().unwrap().len(), 6);
    let query = format!("dir=b&limit=2&from={}", encode(&text(&context, "start")));
    let page = alice.messages(&room, &query).await.ok();
    assert_eq!(bodies(&page["chunk"]), ["1", "0"]);
    let query = format!("dir=f&from={}", encode(&text(&context, "end")));
    let page = alice.messages(&room, &query).await.ok();
    assert_eq!(bodies(&page["chunk"]), ["8"]);
    let context = get(&alice, &room, &sent[4], "limit=0").await.ok();
    assert!(context.get("events_before").is_none());
    assert!(context.get("events_after").is_none());
    assert_eq!(context["event"]["event_id"], sent[4]);
    let query = format!("dir=f&limit=1&from={}", encode(&text(&context, "end")));
    let page = alice.messages(&room, &query).await.ok();
    assert_eq!(bodies(&page["chunk"]), ["5"]);
    // The state is that of the last event shown.
    let topic = json!({"topic": "later"});
    alice.set_state(&room, "m.room.topic", "", topic).await.ok();
    let has_topic = async |query: &str| {
        let context = get(&alice, &room, &sent[8], query).await.ok();
        let state = context["state"].as_array().unwrap().clone();
        state.iter().any(|event| event["type"] == "m.room.topic")
    };
    assert!(!has_topic("limit=0").await);
    assert!(has_topic("limit=1").await);
}

async fn filters_what_stands_around_and_loads_members_lazily(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let carol = server.user("carol").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    carol.join(&room).await.ok();
    let event = alice.send(&room, "middle").await;
    bob.send(&room, "bob's").await;
    carol.send(&room, "carol's").await;
    let filter = json!({"lazy_load_members": true, "senders": [alice.id, bob.id]});
    let query = format!("filter={}", encode(&filter.to_string()));
    let context = get(&alice, &room, &event, &query).await.ok();
    assert_eq!(bodies(&context["events_after"]), ["bob's"]);
    let mut members: Vec<String> = context["state"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["type"] == "m.room.member")
        .map(|event| text(event, "state_key"))
        .collect();
    members.sort();
    assert_eq!(members, [alice.id.clone(), bob.id.clone()]);
    let elsewhere = json!({"not_rooms": [room]});
    let query = format!("filter={}", encode(&elsewhere.to_string()));
    let context = get(&alice, &room, &event, &query).await.ok();
    assert!(context.get("events_after").is_none());
    assert_eq!(context["event"]["event_id"], event);
}

async fn shows_only_what_is_visible(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    let hidden = json!({"history_visibility": "joined"});
    let kind = "m.room.history_visibility";
    alice.set_state(&room, kind, "", hidden).await.ok();
    alice.send(&room, "before").await;
    bob.join(&room).await.ok();
    let event = alice.send(&room, "middle").await;
    bob.leave(&room).await.ok();
    alice.send(&room, "after").await;
    let context = get(&bob, &room, &event, "limit=20").await.ok();
    assert_eq!(context["events_before"][0]["type"], "m.room.member");
    assert_eq!(context["events_before"][1]["type"], kind);
    assert_eq!(context["events_after"].as_array().unwrap().len(), 1);
    assert_eq!(context["events_after"][0]["content"]["membership"], "leave");
}

async fn what_is_not_visible_has_no_context(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    let other = alice.create_room().await;
    let event = alice.send(&room, "hello").await;
    for (user, room, event) in [
        (&bob, &*room, &*event),
        (&alice, &*other, &*event),
        (&alice, "!nowhere:localhost", &*event),
        (&alice, &*room, "$nothing"),
    ] {
        let answer = get(user, room, event, "").await;
        answer.refused(404, "M_NOT_FOUND");
    }
}

async fn refuses_bad_parameters(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let event = alice.send(&room, "hello").await;
    for query in ["limit=-1", "limit=many", "filter=%7B", "filter=3"] {
        let answer = get(&alice, &room, &event, query).await;
        answer.refused(400, "M_INVALID_PARAM");
    }
    let answer = get(&alice, "nonsense", &event, "").await;
    answer.refused(400, "M_INVALID_PARAM");
}

async fn get(user: &User, room: &str, event: &str, query: &str) -> Answer {
    let (room, event) = (encode(room), encode(event));
    user.get(&format!("/rooms/{room}/context/{event}?{query}"))
        .await
}

fn bodies(events: &Value) -> Vec<&str> {
    let events = events.as_array().unwrap().iter();
    events
        .map(|event| event["content"]["body"].as_str().unwrap())
        .collect()
}
