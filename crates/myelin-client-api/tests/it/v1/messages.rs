//! `GET /_matrix/client/api/v1/rooms/{roomId}/messages`

use myelin_testkit::{TestServer, User, text, three_modes};
use serde_json::{Value, json};

use super::{get, post, room_path};

three_modes!(
    pages_back_to_the_beginning,
    pages_forward_as_well,
    begins_now_and_looks_forward_unless_told_otherwise,
    a_limit_yields_virtual_events_first,
    goes_on_past_what_it_does_not_show,
    stops_where_it_shall,
    continues_what_the_overview_began,
    works_in_rooms_of_the_newest_version,
    refuses_strangers_and_bad_parameters,
);

async fn guide_room(server: &TestServer, user: &User) -> String {
    let answer = post(server, user, "/createRoom", json!({})).await;
    text(&answer.ok(), "room_id")
}

async fn page(server: &TestServer, user: &User, (room, query): (&str, &str)) -> Value {
    let path = room_path(room, &format!("messages?{query}"));
    get(server, user, &path).await.ok()
}

fn ids(page: &Value) -> Vec<String> {
    let events = page["chunk"].as_array().unwrap().iter();
    events.map(|event| text(event, "event_id")).collect()
}

fn types(page: &Value) -> Vec<&str> {
    let events = page["chunk"].as_array().unwrap().iter();
    events
        .map(|event| event["type"].as_str().unwrap())
        .collect()
}

/// All pages in a direction, until one is empty.
async fn walk(
    server: &TestServer,
    user: &User,
    (room, query): (&str, &str),
    mut from: String,
) -> Vec<Value> {
    let mut found = Vec::new();
    loop {
        let query = format!("{query}&from={from}");
        let page = page(server, user, (room, &query)).await;
        let chunk = page["chunk"].as_array().unwrap();
        if chunk.is_empty() {
            return found;
        }
        found.extend(chunk.iter().cloned());
        from = text(&page, "end");
        assert!(found.len() < 1_000, "it goes in circles: {page}");
    }
}

async fn pages_back_to_the_beginning(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = guide_room(server, &alice).await;
    let mut sent = Vec::new();
    for number in 0..25 {
        sent.push(alice.send(&room, &number.to_string()).await);
    }
    let first = page(server, &alice, (&room, "from=END&dir=b&limit=10")).await;
    assert_eq!(first["chunk"].as_array().unwrap().len(), 10);
    let start = text(&first, "start");
    assert!(start.starts_with('s'), "{start}");
    let end = text(&first, "end");
    assert!(end.starts_with('t'), "{end}");
    let again = page(server, &alice, (&room, &format!("from={end}&dir=b"))).await;
    assert_eq!(again["start"], end);
    let found = walk(server, &alice, (&room, "dir=b&limit=10"), "END".to_owned()).await;
    let found_ids: Vec<String> = found.iter().map(|event| text(event, "event_id")).collect();
    sent.reverse();
    assert_eq!(found_ids[..25], sent);
    let kinds: Vec<&str> = found[25..]
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    let wanted = [
        "m.room.join_rules",
        "m.room.ops_levels",
        "m.room.send_event_level",
        "m.room.add_state_level",
        "m.room.power_levels",
        "m.room.member",
        "m.room.create",
    ];
    assert_eq!(kinds, wanted);
}

async fn pages_forward_as_well(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = guide_room(server, &alice).await;
    for number in 0..5 {
        alice.send(&room, &number.to_string()).await;
    }
    let back = walk(server, &alice, (&room, "dir=b"), "END".to_owned()).await;
    let mut forward = walk(server, &alice, (&room, "limit=4"), "t0-0_0_0".to_owned()).await;
    forward.reverse();
    let ids = |events: &[Value]| -> Vec<String> {
        events.iter().map(|event| text(event, "event_id")).collect()
    };
    // A window that cuts through the levels loses virtual events, never real ones.
    let forward = ids(&forward);
    let back: Vec<String> = ids(&back)
        .into_iter()
        .filter(|id| !id.contains('~') || forward.contains(id))
        .collect();
    assert_eq!(forward, back);
}

async fn begins_now_and_looks_forward_unless_told_otherwise(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = guide_room(server, &alice).await;
    alice.send(&room, "hello").await;
    let now = page(server, &alice, (&room, "")).await;
    assert_eq!(now["chunk"], json!([]));
    let sent = alice.send(&room, "and then").await;
    let from = text(&now, "end");
    let next = page(server, &alice, (&room, &format!("from={from}"))).await;
    assert_eq!(ids(&next), [sent]);
}

async fn a_limit_yields_virtual_events_first(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = guide_room(server, &alice).await;
    let shown = page(server, &alice, (&room, "from=END&dir=b&limit=2")).await;
    assert_eq!(types(&shown), ["m.room.join_rules", "m.room.power_levels"]);
    let query = format!("dir=b&limit=1&from={}", text(&shown, "end"));
    let shown = page(server, &alice, (&room, &query)).await;
    assert_eq!(types(&shown), ["m.room.member"]);
}

async fn goes_on_past_what_it_does_not_show(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let sent = alice.send(&room, "hello").await;
    let fake = json!({"ban_level": 0});
    for _ in 0..5 {
        alice
            .set_state(&room, "m.room.ops_levels", "", fake.clone())
            .await
            .ok();
    }
    let shown = page(server, &alice, (&room, "from=END&dir=b&limit=2")).await;
    assert_eq!(ids(&shown), [sent]);
}

async fn stops_where_it_shall(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = guide_room(server, &alice).await;
    alice.send(&room, "before").await;
    let to = text(&page(server, &alice, (&room, "")).await, "end");
    let sent = alice.send(&room, "after").await;
    let query = format!("from=END&dir=b&to={to}");
    assert_eq!(ids(&page(server, &alice, (&room, &query)).await), [sent]);
}

async fn continues_what_the_overview_began(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = guide_room(server, &alice).await;
    let first = alice.send(&room, "one").await;
    let second = alice.send(&room, "two").await;
    let sync = get(server, &alice, "/initialSync?limit=1").await.ok();
    let messages = &sync["rooms"][0]["messages"];
    assert_eq!(messages["chunk"][0]["event_id"], second);
    let query = format!("dir=b&limit=1&from={}", text(messages, "start"));
    let shown = page(server, &alice, (&room, &query)).await;
    assert_eq!(ids(&shown), [first]);
    let query = format!("dir=b&limit=1&from={}", text(messages, "end"));
    assert_eq!(ids(&page(server, &alice, (&room, &query)).await), [second]);
}

async fn works_in_rooms_of_the_newest_version(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room_with(json!({"room_version": "12"})).await;
    let sent = alice.send(&room, "hello").await;
    let shown = page(server, &alice, (&room, "from=END&dir=b")).await;
    assert_eq!(ids(&shown)[0], sent);
    assert_eq!(types(&shown).last(), Some(&"m.room.create"));
}

async fn refuses_strangers_and_bad_parameters(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = guide_room(server, &alice).await;
    get(server, &bob, &room_path(&room, "messages?from=END&dir=b"))
        .await
        .refused(403, "M_FORBIDDEN");
    for query in [
        "dir=x",
        "limit=many",
        "from=garbage",
        "to=garbage",
        "from=END&from=END",
    ] {
        let path = room_path(&room, &format!("messages?{query}"));
        let answer = get(server, &alice, &path).await;
        assert_eq!(answer.code(), (400, "M_INVALID_PARAM"), "{query}");
    }
}
