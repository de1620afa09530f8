//! What was said in a room before this server came, or while it was away.

pub(crate) mod gaps;
mod hostile;
mod states;

use std::{sync::Arc, time::Duration};

use myelin_core::event::Event;
use myelin_testkit::{
    HostedRoom, Peer, PeerRoom, TestServer, User, encode, text, three_modes, three_modes_federated,
};
use ruma::OwnedUserId;
use serde_json::{Value, json};

three_modes!(
    three_hundred_messages_are_read_in_order,
    the_first_sync_leads_into_the_gap,
    history_is_no_news,
    who_asks_for_more_gets_more_at_once,
    a_peer_that_is_away_is_asked_again,
    two_who_read_at_once_read_the_same,
    rooms_of_every_version_have_a_past,
    only_members_make_others_work,
    the_context_of_an_event_reaches_into_the_gap,
    clients_of_2014_read_on_too,
);

three_modes_federated!(another_server_of_ours_tells_its_history);

/// A room of a peer's, with what was said there, that Alice has joined.
struct Scene {
    alice: User,
    peer: Arc<Peer>,
    room_id: String,
    mallory: OwnedUserId,
    hosted: HostedRoom,
}

impl Scene {
    async fn new(server: &TestServer, version: &str, messages: usize) -> Self {
        Self::with(server, version, |room, mallory| {
            for number in 0..messages {
                room.message(mallory, &format!("message {number}"));
            }
        })
        .await
    }

    /// With this in the room before Alice comes.
    async fn with(
        server: &TestServer,
        version: &str,
        fill: impl FnOnce(&mut PeerRoom, &OwnedUserId),
    ) -> Self {
        Self::at(server, ("peer.example", version), fill).await
    }

    /// The same at a peer of this name.
    async fn at(
        server: &TestServer,
        (name, version): (&str, &str),
        fill: impl FnOnce(&mut PeerRoom, &OwnedUserId),
    ) -> Self {
        let peer = Peer::start(server.network(), name);
        let mut room = PeerRoom::create(&peer, version, "mallory");
        let mallory = room.user("mallory");
        fill(&mut room, &mallory);
        let room_id = room.id.to_string();
        let alice = server.user(&format!("alice{version}")).await;
        let hosted = room.serve();
        let path = format!("/join/{}?via={name}", encode(&room_id));
        alice.post(&path, json!({})).await.ok();
        Self {
            alice,
            peer,
            room_id,
            mallory,
            hosted,
        }
    }

    /// The ids of all events of the room, the newest first.
    fn all(&self) -> Vec<String> {
        let events = self.hosted.now().events;
        events.iter().rev().map(id).collect()
    }

    /// What Alice is shown of the room from the newest event on, page by page.
    async fn read(&self, limit: usize) -> Vec<Value> {
        read_from(&self.alice, (&self.room_id, None), limit).await
    }

    fn asked(&self, path: &str) -> usize {
        let received = self.peer.received();
        let asked = received.iter();
        asked.filter(|asked| asked.path.contains(path)).count()
    }
}

fn id(event: &Event) -> String {
    event.event_id.to_string()
}

/// Walks back through a room to its beginning: fails if that takes no end.
async fn read_from(user: &User, (room_id, from): (&str, Option<&str>), limit: usize) -> Vec<Value> {
    let mut from = from.map(ToOwned::to_owned);
    let mut events = Vec::new();
    for _ in 0..100 {
        let page = page(user, (room_id, from.as_deref()), limit).await;
        events.extend(page["chunk"].as_array().unwrap().iter().cloned());
        match page["end"].as_str() {
            Some(end) => from = Some(end.to_owned()),
            None => return events,
        }
    }
    panic!("the walk has no end: {} events", events.len());
}

async fn page(user: &User, (room_id, from): (&str, Option<&str>), limit: usize) -> Value {
    let from = from.map_or_else(String::new, |from| format!("&from={from}"));
    let query = format!("dir=b&limit={limit}{from}");
    user.messages(room_id, &query).await.ok()
}

fn ids(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| text(event, "event_id")).collect()
}

fn bodies(events: &[Value]) -> Vec<&str> {
    let bodies = events.iter();
    bodies
        .filter_map(|event| event["content"]["body"].as_str())
        .collect()
}

async fn three_hundred_messages_are_read_in_order(server: &TestServer) {
    let scene = Scene::new(server, "11", 300).await;
    let read = scene.read(40).await;
    assert_eq!(ids(&read), scene.all());
    assert_eq!(read.last().unwrap()["type"], "m.room.create");
    // A hundred in each answer. How the room began is its state, which is known since the join.
    assert_eq!(scene.asked("/backfill/"), 3);
    assert_eq!(scene.asked("/state"), 0);
    // From now on it is known here.
    server.network().set_cut_off("peer.example", true);
    assert_eq!(ids(&scene.read(7).await), scene.all());
    let forward = scene.alice.messages(&scene.room_id, "dir=f&limit=1000");
    let mut forward = ids(forward.await.ok()["chunk"].as_array().unwrap());
    forward.reverse();
    assert_eq!(forward, scene.all());
}

async fn the_first_sync_leads_into_the_gap(server: &TestServer) {
    let scene = Scene::new(server, "12", 30).await;
    let sync = scene.alice.sync(None).await;
    let timeline = &sync["rooms"]["join"][&scene.room_id]["timeline"];
    assert_eq!(timeline["limited"], true, "{timeline}");
    let shown = timeline["events"].as_array().unwrap();
    assert_eq!(shown.len(), 1, "{timeline}");
    assert_eq!(shown[0]["state_key"], scene.alice.id);
    let token = text(timeline, "prev_batch");
    let expected = scene.all().split_off(1);
    for limit in [11, 1_000] {
        let read = read_from(&scene.alice, (&scene.room_id, Some(&token)), limit).await;
        assert_eq!(ids(&read), expected);
    }
}

async fn history_is_no_news(server: &TestServer) {
    let scene = Scene::new(server, "11", 120).await;
    let since = text(&scene.alice.sync(None).await, "next_batch");
    let members = format!("/rooms/{}/members", encode(&scene.room_id));
    let before = scene.alice.get(&members).await.ok();
    assert_eq!(scene.read(50).await.len(), scene.all().len());
    let news = scene.alice.sync(Some(&since)).await;
    assert!(
        news["rooms"]["join"].get(&scene.room_id).is_none(),
        "{news}"
    );
    assert_eq!(scene.alice.get(&members).await.ok(), before);
    // Nothing of it is sent to anybody.
    let mark = scene.alice.send(&scene.room_id, "mark").await;
    myelin_testkit::wait_until("the mark is delivered", async || {
        !scene.peer.pdus().is_empty()
    })
    .await;
    let pdus = scene.peer.pdus();
    assert_eq!(pdus.len(), 1, "{pdus:?}");
    assert_eq!(pdus[0]["content"]["body"], "mark", "{mark}");
    // What comes next is told alone.
    let news = scene.alice.sync(Some(&since)).await;
    let timeline = &news["rooms"]["join"][&scene.room_id]["timeline"];
    assert_eq!(ids(timeline["events"].as_array().unwrap()), [mark]);
    assert_eq!(timeline["limited"], false);
}

async fn who_asks_for_more_gets_more_at_once(server: &TestServer) {
    let scene = Scene::new(server, "11", 90).await;
    let first = page(&scene.alice, (&scene.room_id, None), 1_000).await;
    let events = first["chunk"].as_array().unwrap();
    assert_eq!(ids(events), scene.all());
    assert!(first.get("end").is_none(), "{first}");
    assert_eq!(scene.asked("/backfill/"), 1);
}

async fn a_peer_that_is_away_is_asked_again(server: &TestServer) {
    let scene = Scene::new(server, "11", 150).await;
    server.network().set_cut_off("peer.example", true);
    let first = page(&scene.alice, (&scene.room_id, None), 10).await;
    assert_eq!(first["chunk"].as_array().unwrap().len(), 1, "{first}");
    let token = text(&first, "end");
    for _ in 0..3 {
        let again = page(&scene.alice, (&scene.room_id, Some(&token)), 10).await;
        assert_eq!(again["chunk"], json!([]), "{again}");
        assert_eq!(again["end"], token.as_str());
    }
    server.network().set_cut_off("peer.example", false);
    server.clock().advance(Duration::from_mins(1));
    let read = read_from(&scene.alice, (&scene.room_id, Some(&token)), 10).await;
    assert_eq!(ids(&read), scene.all().split_off(1));
}

async fn two_who_read_at_once_read_the_same(server: &TestServer) {
    let scene = Scene::new(server, "11", 250).await;
    let (one, other, third) = tokio::join!(scene.read(30), scene.read(30), scene.read(70));
    for read in [one, other, third] {
        assert_eq!(ids(&read), scene.all());
    }
    // On one node nobody asks for what another is asking for.
    if server.stores().len() == 1 {
        assert_eq!(scene.asked("/backfill/"), 3);
    }
}

async fn rooms_of_every_version_have_a_past(server: &TestServer) {
    for version in 1..=12 {
        let name = format!("peer{version}.example");
        let version = version.to_string();
        let scene = Scene::at(server, (&name, &version), |room, mallory| {
            for number in 0..10 {
                room.message(mallory, &format!("message {number}"));
                let name = json!({"name": format!("name {number}")});
                room.set(mallory, "m.room.name", "", name);
            }
        })
        .await;
        assert_eq!(ids(&scene.read(9).await), scene.all(), "version {version}");
    }
}

async fn only_members_make_others_work(server: &TestServer) {
    let scene = Scene::with(server, "11", |room, mallory| {
        let open = json!({"history_visibility": "world_readable"});
        room.set(mallory, "m.room.history_visibility", "", open);
        room.message(mallory, "message");
    })
    .await;
    let carol = server.user("carol").await;
    let before = scene.peer.received().len();
    let seen = page(&carol, (&scene.room_id, None), 50).await;
    assert_eq!(seen["chunk"].as_array().unwrap().len(), 1, "{seen}");
    assert!(seen.get("end").is_none(), "{seen}");
    assert_eq!(scene.peer.received().len(), before);
    assert_eq!(scene.read(50).await.len(), scene.all().len());
    let seen = page(&carol, (&scene.room_id, None), 50).await;
    assert_eq!(bodies(seen["chunk"].as_array().unwrap()), ["message"]);
}

async fn the_context_of_an_event_reaches_into_the_gap(server: &TestServer) {
    let scene = Scene::new(server, "11", 20).await;
    let join = &scene.all()[0];
    let path = format!(
        "/rooms/{}/context/{}?limit=10",
        encode(&scene.room_id),
        encode(join)
    );
    let context = scene.alice.get(&path).await.ok();
    let before = ids(context["events_before"].as_array().unwrap());
    assert_eq!(before, scene.all()[1..6]);
    let token = text(&context, "start");
    let read = read_from(&scene.alice, (&scene.room_id, Some(&token)), 10).await;
    assert_eq!(ids(&read), scene.all()[6..]);
}

async fn clients_of_2014_read_on_too(server: &TestServer) {
    let scene = Scene::new(server, "11", 20).await;
    let path = format!(
        "/_matrix/client/api/v1/rooms/{}/messages?from=END&dir=b&limit=15",
        encode(&scene.room_id)
    );
    let read = scene.alice.get(&path).await.ok();
    let chunk = read["chunk"].as_array().unwrap();
    assert_eq!(
        bodies(chunk)[..3],
        ["message 19", "message 18", "message 17"]
    );
}

async fn another_server_of_ours_tells_its_history(here: &TestServer, there: &TestServer) {
    let alice = there.user("alice").await;
    let carol = there.user("carol").await;
    let bob = here.user("bob").await;
    let room = alice.create_public_room().await;
    let mut said = Vec::new();
    for number in 0..75 {
        for body in ["a", "b", "c"] {
            said.push(format!("{body} {number}"));
            alice.send(&room, said.last().unwrap()).await;
        }
        if number % 20 == 0 {
            carol.join(&room).await.ok();
            said.push(format!("carol {number}"));
            carol.send(&room, said.last().unwrap()).await;
            carol.leave(&room).await.ok();
            let topic = json!({"topic": number.to_string()});
            alice.set_state(&room, "m.room.topic", "", topic).await.ok();
        }
    }
    let path = format!("/join/{}?via=there.example", encode(&room));
    bob.post(&path, json!({})).await.ok();
    let read = read_from(&bob, (&room, None), 60).await;
    said.reverse();
    assert_eq!(bodies(&read), said);
    let theirs = read_from(&alice, (&room, None), 60).await;
    assert_eq!(ids(&read), ids(&theirs));
    // Each knows the states between as the other does.
    for event in theirs
        .iter()
        .filter(|event| event["type"] == "m.room.message")
    {
        let path = |user: &User| {
            let event = encode(event["event_id"].as_str().unwrap());
            let path = format!("/rooms/{}/context/{event}?limit=0", encode(&room));
            let user = user.clone();
            async move { user.get(&path).await.ok()["state"].clone() }
        };
        if event["content"]["body"].as_str().unwrap().starts_with('a') {
            let (ours, theirs) = (path(&bob).await, path(&alice).await);
            assert_eq!(sorted(&ours), sorted(&theirs), "{event}");
        }
    }
}

fn sorted(events: &Value) -> Vec<String> {
    let mut ids = ids(events.as_array().unwrap());
    ids.sort();
    ids
}
