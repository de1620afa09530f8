//! What each server holds of a room, event by event, told for a person who asks why they differ.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use myelin_store::{
    events::{self, Status, StoredEvent},
    inbox, room_servers,
};
use serde_json::Value;

use super::{agreement::references, world::World};
use crate::TestServer;

/// A state, by the ids of its events.
type State = BTreeSet<String>;

/// An event as one server holds it.
struct Held {
    status: Status,
    /// None: it has no place.
    state_before: Option<State>,
}

/// Each event of a room that any server knows, the oldest first: what it is, what each server made
/// of it, and in which events the states before it differ from that of the first server.
pub(super) async fn tell(world: &World, room: &str) -> Vec<String> {
    let mut events: BTreeMap<String, Value> = BTreeMap::new();
    let mut held: BTreeMap<(String, usize), Held> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for server in &world.servers {
        let known = known_events(server, room).await;
        ids.extend(known.into_iter().map(|event| event.id));
    }
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    for (index, server) in world.servers.iter().enumerate() {
        let store = server.stores().remove(0);
        let stored = events::list_by_ids(&mut store.read(), &ids).await;
        for event in stored.expect("the store answers") {
            let state_before = state_before(server, &event).await;
            let status = event.status;
            let json = serde_json::from_str(&event.json).expect("events are JSON");
            events.insert(event.id.clone(), json);
            let holding = Held {
                status,
                state_before,
            };
            held.insert((event.id, index), holding);
        }
    }
    let mut ordered: Vec<(&String, &Value)> = events.iter().collect();
    ordered.sort_by_key(|(_, json)| (json["depth"].as_u64(), json["origin_server_ts"].as_u64()));
    let mut told = vec![format!("what the servers hold of {room}:")];
    for (id, json) in ordered {
        told.push(format!("  {}", what_it_is(id, json)));
        told.push(what_was_made_of_it(world, &held, id));
    }
    for server in &world.servers {
        told.push(format!(
            "  {} ends at {}",
            server.name(),
            ends(server, room).await
        ));
        told.extend(waiting(server, room).await);
    }
    told
}

/// What waits in the server's inbox.
async fn waiting(server: &TestServer, room: &str) -> Vec<String> {
    let store = server.stores().remove(0);
    let number = store.find_interned(room.as_bytes()).await;
    let number = number.expect("the store answers").unwrap_or_default();
    let waiting = inbox::list_due(&mut store.read(), number, i64::MAX, 100).await;
    let waiting = waiting.expect("the store answers").into_iter();
    let tell = |row: inbox::Received| {
        let (name, id) = (server.name(), short(&row.id).to_owned());
        let pause_s = (row.due_ms - server.now_ms().cast_signed()) / 1_000;
        let failures = row.failures;
        format!("  {name} tries {id} again in {pause_s} s, after {failures} failures")
    };
    waiting.map(tell).collect()
}

/// What a server knows of a room: what it has accepted, and all that this refers to.
async fn known_events(server: &TestServer, room: &str) -> Vec<StoredEvent> {
    let store = server.stores().remove(0);
    let number = store.find_interned(room.as_bytes()).await;
    let number = number.expect("the store answers").unwrap_or_default();
    let mut read = store.read();
    let accepted = events::list_from(&mut read, number, i64::MIN, 1_000_000).await;
    let mut found = accepted.expect("the store answers");
    let mut seen: BTreeSet<String> = found.iter().map(|event| event.id.clone()).collect();
    let mut next = 0;
    while next < found.len() {
        let json: Value = serde_json::from_str(&found[next].json).expect("events are JSON");
        let cited = ["prev_events", "auth_events"].map(|key| references(&json, key));
        let unmet = cited.concat().into_iter();
        let unmet: Vec<String> = unmet.filter(|id| seen.insert(id.clone())).collect();
        let ids: Vec<&str> = unmet.iter().map(String::as_str).collect();
        let stored = events::list_by_ids(&mut read, &ids).await;
        found.extend(stored.expect("the store answers"));
        next += 1;
    }
    found
}

async fn state_before(server: &TestServer, event: &StoredEvent) -> Option<State> {
    if event.root_before.is_empty() {
        return None;
    }
    let store = server.stores().remove(0);
    let mut read = store.read();
    let place = (event.room, &event.root_before);
    let entries = server.rooms().state_entries(&mut read, place).await;
    let entries = entries.expect("the store answers").into_iter();
    let numbers: Vec<i64> = entries.map(|(_, number)| number).collect();
    let state = events::list(&mut read, &numbers).await;
    let state = state.expect("the store answers").into_iter();
    Some(state.map(|event| event.id).collect())
}

async fn ends(server: &TestServer, room: &str) -> String {
    let store = server.stores().remove(0);
    let number = store.find_interned(room.as_bytes()).await;
    let number = number.expect("the store answers").unwrap_or_default();
    let row = myelin_store::rooms::find(&mut store.read(), number).await;
    let row = row.expect("the store answers");
    let Some(row) = row else {
        return "nothing".to_owned();
    };
    let ends: Vec<&str> = row.extremities.iter().map(|id| short(id)).collect();
    let mut told = ends.join(" ");
    let counts = room_servers::list(&mut store.read(), number).await;
    for count in counts.expect("the store answers") {
        let name = store.interned(&[count.server]).await.expect("a name").pop();
        let name = name.unwrap_or_default();
        let _ = write!(
            told,
            ", {} of {}",
            count.joined,
            String::from_utf8_lossy(&name)
        );
    }
    told
}

fn what_it_is(id: &str, json: &Value) -> String {
    let ids = |key| {
        let ids = references(json, key);
        let ids = ids.iter().map(|id| short(id));
        ids.collect::<Vec<_>>().join(" ")
    };
    let mut told = format!("{} {}", short(id), text(json, "type"));
    if let Some(state_key) = json["state_key"].as_str() {
        let _ = write!(told, " [{state_key}] {}", json["content"]);
    }
    let _ = write!(
        told,
        " by {} depth {} ts {} after [{}] by [{}]",
        text(json, "sender"),
        json["depth"],
        json["origin_server_ts"],
        ids("prev_events"),
        ids("auth_events"),
    );
    told
}

fn what_was_made_of_it(world: &World, held: &BTreeMap<(String, usize), Held>, id: &str) -> String {
    let mut told = String::from("     ");
    let mut first: Option<&State> = None;
    for (index, server) in world.servers.iter().enumerate() {
        let Some(holding) = held.get(&(id.to_owned(), index)) else {
            continue;
        };
        let _ = write!(told, " {} {:?}", server.name(), holding.status);
        let Some(state) = &holding.state_before else {
            continue;
        };
        let reference = *first.get_or_insert(state);
        let changes = state.symmetric_difference(reference).map(|id| {
            let sign = if state.contains(id) { '+' } else { '-' };
            format!("{sign}{}", short(id))
        });
        let changes: Vec<String> = changes.collect();
        if !changes.is_empty() {
            let _ = write!(told, " ({})", changes.join(" "));
        }
    }
    told
}

/// What is enough to tell the events of a room from each other.
fn short(id: &str) -> &str {
    id.get(..9).unwrap_or(id)
}

fn text<'a>(json: &'a Value, key: &str) -> &'a str {
    json[key].as_str().unwrap_or_default()
}
