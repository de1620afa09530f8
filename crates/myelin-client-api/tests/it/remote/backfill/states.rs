//! The states between the events of a room's past: who may see them, and what belongs to them.

use myelin_testkit::{Peer, PeerEvent, PeerRoom, TestServer, encode, pdu, three_modes, wait_until};
use ruma::OwnedUserId;
use serde_json::{Value, json};

use super::{Scene, bodies, ids, page};

three_modes!(
    what_was_closed_stays_closed,
    redactions_reach_back,
    a_redaction_finds_what_is_fetched_later,
    lazy_members_are_those_of_then,
    the_past_can_be_built_on,
    a_page_costs_what_it_shows,
);

fn visibility(room: &mut PeerRoom, mallory: &OwnedUserId, value: &str) {
    let content = json!({"history_visibility": value});
    room.set(mallory, "m.room.history_visibility", "", content);
}

async fn what_was_closed_stays_closed(server: &TestServer) {
    let scene = Scene::with(server, "11", |room, mallory| {
        room.message(mallory, "shared at first");
        visibility(room, mallory, "joined");
        for number in 0..150 {
            room.message(mallory, &format!("closed {number}"));
        }
        visibility(room, mallory, "shared");
        room.message(mallory, "shared again");
        visibility(room, mallory, "invited");
        room.message(mallory, "for the invited");
    })
    .await;
    let read = scene.read(20).await;
    assert_eq!(bodies(&read), ["shared again", "shared at first"]);
    assert_eq!(read.last().unwrap()["type"], "m.room.create");
}

async fn redactions_reach_back(server: &TestServer) {
    let second = Peer::start(server.network(), "second.example");
    let scene = Scene::with(server, "11", |room, mallory| {
        let bad = room.message(mallory, "bad");
        room.message(mallory, "good");
        redact(room, mallory, &bad.event_id);
        // Eve may not do so.
        let theirs = PeerRoom {
            peer: second.clone(),
            ..room.clone()
        };
        let eve = theirs.user("eve");
        let join = json!({"membership": "join"});
        let join = theirs.make(PeerEvent {
            state_key: Some(eve.to_string()),
            ..PeerEvent::new(&eve, "m.room.member", join)
        });
        room.take(&join);
        let kept = room.message(mallory, "kept");
        let theirs = PeerRoom {
            peer: second.clone(),
            ..room.clone()
        };
        let redacts = json!({"redacts": kept.event_id});
        let vain = theirs.make(PeerEvent::new(&eve, "m.room.redaction", redacts));
        room.take(&vain);
    })
    .await;
    let read = scene.read(50).await;
    assert_eq!(bodies(&read), ["kept", "good"]);
    let cut = read
        .iter()
        .find(|event| event["unsigned"]["redacted_because"].is_object());
    let cut = cut.expect("one is redacted");
    assert_eq!(cut["content"], json!({}));
    assert_eq!(
        cut["unsigned"]["redacted_because"]["type"],
        "m.room.redaction"
    );
}

fn redact(room: &mut PeerRoom, by: &OwnedUserId, id: &ruma::OwnedEventId) {
    room.append(PeerEvent::new(
        by,
        "m.room.redaction",
        json!({"redacts": id}),
    ));
}

async fn a_redaction_finds_what_is_fetched_later(server: &TestServer) {
    let scene = Scene::new(server, "11", 150).await;
    let bad = scene.hosted.now().events[7].event_id.clone();
    let mallory = scene.mallory.clone();
    let redaction = scene.hosted.change(|room| {
        redact(room, &mallory, &bad);
        room.events.last().unwrap().clone()
    });
    scene.hosted.now().send(server, &[&redaction]).await.ok();
    wait_until("the redaction has arrived", async || {
        let newest = page(&scene.alice, (&scene.room_id, None), 1).await;
        newest["chunk"][0]["type"] == "m.room.redaction"
    })
    .await;
    let read = scene.read(50).await;
    assert_eq!(ids(&read), scene.all());
    let cut = read.iter().find(|event| event["event_id"] == bad.as_str());
    let cut = cut.unwrap();
    assert_eq!(cut["content"], json!({}), "{cut}");
    let because = &cut["unsigned"]["redacted_because"]["event_id"];
    assert_eq!(*because, redaction.event_id.as_str());
}

async fn lazy_members_are_those_of_then(server: &TestServer) {
    let scene = Scene::with(server, "11", |room, mallory| {
        let named = |name: &str| json!({"membership": "join", "displayname": name});
        let eve = room.user("eve");
        room.set(&eve, "m.room.member", eve.as_str(), named("Eve"));
        for number in 0..30 {
            room.message(&eve, &format!("eve {number}"));
        }
        room.set(&eve, "m.room.member", eve.as_str(), named("Adam"));
        for number in 0..30 {
            room.message(mallory, &format!("mallory {number}"));
        }
        room.set(
            &eve,
            "m.room.member",
            eve.as_str(),
            json!({"membership": "leave"}),
        );
    })
    .await;
    scene.read(100).await;
    let filter = encode(&json!({"lazy_load_members": true}).to_string());
    let query = format!("dir=b&limit=100&filter={filter}");
    let all = scene.alice.messages(&scene.room_id, &query).await.ok();
    assert!(bodies(all["chunk"].as_array().unwrap()).len() >= 60);
    let eve = scene.hosted.now().events;
    let first = eve
        .iter()
        .find(|event| event.json.contains("eve 0"))
        .unwrap();
    let path = format!(
        "/rooms/{}/context/{}?limit=4&filter={filter}",
        encode(&scene.room_id),
        encode(first.event_id.as_str())
    );
    let context = scene.alice.get(&path).await.ok();
    let members: Vec<&Value> = context["state"].as_array().unwrap().iter().collect();
    let members = members
        .iter()
        .filter(|event| event["type"] == "m.room.member");
    let names: Vec<&Value> = members
        .filter(|event| event["state_key"] == scene.hosted.now().user("eve").as_str())
        .map(|event| &event["content"]["displayname"])
        .collect();
    assert_eq!(names, ["Eve"]);
}

/// What comes later may come after the past: it is known where it stands.
async fn the_past_can_be_built_on(server: &TestServer) {
    let scene = Scene::with(server, "11", |room, mallory| {
        for number in 0..20 {
            room.message(mallory, &format!("message {number}"));
            let topic = json!({"topic": number.to_string()});
            room.append(PeerEvent {
                state_key: Some(String::new()),
                // Of two topics the newer one counts.
                origin_server_ts: Some(room.peer.server.now_ms() + number),
                ..PeerEvent::new(mallory, "m.room.topic", topic)
            });
        }
    })
    .await;
    assert_eq!(scene.read(50).await.len(), scene.all().len());
    let (mut room, mallory) = (scene.hosted.now(), scene.mallory.clone());
    let past = room.events[20].event_id.clone();
    let late = room.append(PeerEvent {
        prev_events: Some(vec![past]),
        ..PeerEvent::text(&mallory, "from the past")
    });
    let before = scene.asked("/state");
    room.send(server, &[&late]).await.ok();
    wait_until("it has arrived", async || {
        let newest = page(&scene.alice, (&scene.room_id, None), 1).await;
        newest["chunk"][0]["content"]["body"] == "from the past"
    })
    .await;
    assert_eq!(scene.asked("/state"), before);
    let topic = scene.alice.state(&scene.room_id, "m.room.topic", "").await;
    assert_eq!(topic.ok()["topic"], "19");
    // Other servers are told of it, too.
    let path = format!(
        "/_matrix/federation/v1/backfill/{}?limit=3&v={}",
        encode(&scene.room_id),
        encode(room.events[25].event_id.as_str())
    );
    let told = scene.peer.get(server, &path).await.ok();
    let expected: Vec<Value> = room.events[23..26].iter().rev().map(pdu).collect();
    assert_eq!(told["pdus"], json!(expected));
}

/// Counts, not times: a hundred messages by two people are judged by a handful of looks into the
/// state, and what is known costs what it always does.
async fn a_page_costs_what_it_shows(server: &TestServer) {
    if server.stores().len() > 1 {
        return;
    }
    let scene = Scene::with(server, "11", |room, mallory| {
        let eve = room.user("eve");
        let join = json!({"membership": "join"});
        room.set(&eve, "m.room.member", eve.as_str(), join);
        for number in 0..100 {
            room.message(mallory, &format!("mallory {number}"));
            room.message(&eve, &format!("eve {number}"));
        }
    })
    .await;
    let store = server.stores().remove(0);
    let before = store.counts();
    let first = page(&scene.alice, (&scene.room_id, None), 50).await;
    assert_eq!(first["chunk"].as_array().unwrap().len(), 50);
    let after = store.counts();
    let nodes = after.trie_nodes_read - before.trie_nodes_read;
    let statements = after.statements - before.statements;
    assert!(nodes <= 60, "{nodes} nodes");
    assert!(statements <= 500, "{statements} statements");
    assert_eq!(scene.asked("/backfill/"), 1);
    assert_eq!(scene.asked("/state"), 0);
}
