//! Whether servers are of one mind about a room: the same state, and the same accepted events.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use myelin_store::events::{self, Status};
use serde_json::{Value, json};

use super::world::World;
use crate::encode;

/// Type and state key to event.
type State = BTreeMap<(String, String), String>;

/// What one server holds of a room.
struct Holding {
    /// The index of the server.
    index: usize,
    server: String,
    /// The version of the room.
    version: String,
    state: State,
    /// Each accepted event with those before it.
    events: Graph,
    /// The joins of its own users.
    joins: BTreeSet<String>,
    /// Those events of the state by which somebody is joined.
    joined: BTreeSet<String>,
    /// Those by which somebody is invited.
    invited: BTreeSet<String>,
}

impl Holding {
    /// Whether somebody of another server is in the room.
    fn has_of(&self, other: &Self) -> bool {
        let of_other = format!(":{}", other.server);
        let is_of_other =
            |(kind, key): &(String, String)| kind == "m.room.member" && key.ends_with(&of_other);
        let mut state = self.state.iter();
        state.any(|(key, event)| is_of_other(key) && self.joined.contains(event))
    }
}

/// What servers that have somebody in a room hold differently, told for a person; and the rooms in
/// which they do.
///
/// Two servers in a room must hold the same state of it, and each all events that the other has
/// accepted and that come after the joins of its own users, but for what it has soft-failed: that it
/// does by what it knows when an event comes, and nobody tells it what the others do.
///
/// That holds for servers that are in the room for each other. Where one has taken the other's users
/// out of the room by resolving a fork, it sends them nothing any more, as the specification has it:
/// the two are in two rooms of one name, and each goes on by itself. See [`is_forgotten`] for what
/// is taken for that.
pub(super) async fn differences(world: &World) -> (Vec<String>, Vec<String>) {
    let (mut found, mut rooms) = (Vec::new(), Vec::new());
    for room in world.rooms() {
        let before = found.len();
        let mut holdings = Vec::new();
        for server in 0..world.servers.len() {
            holdings.extend(holding(world, &room, server).await);
        }
        for (index, left) in holdings.iter().enumerate() {
            for right in &holdings[index + 1..] {
                let of_pair = compare(world, &room, (left, right), &holdings);
                found.extend(of_pair.await);
            }
        }
        if found.len() > before {
            rooms.push(room);
        }
    }
    (found, rooms)
}

/// Whether one of two servers is forgotten by the other, or by one that is of one mind with the other:
/// who comes into a room by its help does not hear of those whom it has forgotten. So two that never
/// heard of each other are apart if any other has forgotten one of them.
async fn are_apart(world: &World, all: &[Holding], left: &Holding, right: &Holding) -> bool {
    let are_strangers = !left.has_of(right) && !right.has_of(left);
    for by in all {
        if are_strangers
            && (is_forgotten(world, left, by).await || is_forgotten(world, right, by).await)
        {
            return true;
        }
        let with_left = by.state == left.state && is_forgotten(world, right, by).await;
        if with_left || (by.state == right.state && is_forgotten(world, left, by).await) {
            return true;
        }
    }
    false
}

/// What two servers hold differently.
async fn compare(
    world: &World,
    room: &str,
    (left, right): (&Holding, &Holding),
    all: &[Holding],
) -> Vec<String> {
    if are_apart(world, all, left, right).await {
        return Vec::new();
    }
    let mut found = compare_states(world, room, (left, right)).await;
    found.extend(missing_events(world, room, left, right).await);
    found.extend(missing_events(world, room, right, left).await);
    found
}

/// Whether a server is not in the room for another because that one has resolved a fork so. The
/// other has to know what the server's users did to be there; and what stands in the place of that
/// is known to the server, too, or was made without knowledge of it, in the other fork. Whoever
/// removes a user knowingly has to tell the user's server, else that one is not forgotten but
/// neglected. An invitation removes nobody.
async fn is_forgotten(world: &World, server: &Holding, by: &Holding) -> bool {
    let of_server = format!(":{}", server.server);
    let own = |state: &State| -> Vec<(String, String)> {
        let keys = state.keys();
        let keys = keys.filter(|(kind, key)| kind == "m.room.member" && key.ends_with(&of_server));
        keys.cloned().collect()
    };
    for key in own(&by.state) {
        let event = &by.state[&key];
        let status = status(world, server.index, event).await;
        let knowingly = || {
            let join = server.state.get(&key);
            join.is_some_and(|join| ancestors(&by.events, event).contains(join))
        };
        let is_neglected = match status {
            Some(status) => status == Status::Rejected,
            None => !by.invited.contains(event) && knowingly(),
        };
        if is_neglected || by.joined.contains(event) {
            return false;
        }
    }
    for key in own(&server.state) {
        let event = &server.state[&key];
        if server.joined.contains(event) && status(world, by.index, event).await.is_none() {
            return false;
        }
    }
    true
}

/// None if nobody of the server is in the room.
async fn holding(world: &World, room: &str, server: usize) -> Option<Holding> {
    let of_server = world.people.iter().filter(|person| person.server == server);
    let path = format!("/rooms/{}/state", encode(room));
    for person in of_server {
        let user = &person.user;
        let joined = user
            .try_request(Method::GET, "/joined_rooms", json!({}))
            .await?;
        let joined = joined.body["joined_rooms"].as_array().cloned();
        if !joined.unwrap_or_default().contains(&Value::from(room)) {
            continue;
        }
        let answer = user.try_request(Method::GET, &path, json!({})).await?;
        let name = world.servers[server].name();
        let (events, joins) = accepted_events(world, room, server).await;
        let state = answer.body.as_array()?;
        let create = state.iter().find(|event| event["type"] == "m.room.create");
        let version = create.and_then(|create| create["content"]["room_version"].as_str());
        return Some(Holding {
            joined: with_membership(state, "join"),
            invited: with_membership(state, "invite"),
            index: server,
            server: name.to_owned(),
            version: version.unwrap_or("1").to_owned(),
            state: state.iter().filter_map(entry).collect(),
            events,
            joins,
        });
    }
    None
}

/// The ids of those events of a state that give somebody this membership.
fn with_membership(state: &[Value], membership: &str) -> BTreeSet<String> {
    let state = state.iter();
    let is_wanted = |event: &&Value| event["content"]["membership"] == membership;
    let ids = state
        .filter(is_wanted)
        .filter_map(|event| event["event_id"].as_str());
    ids.map(str::to_owned).collect()
}

fn entry(event: &Value) -> Option<((String, String), String)> {
    let text = |key: &str| event[key].as_str().map(str::to_owned);
    Some(((text("type")?, text("state_key")?), text("event_id")?))
}

type Graph = BTreeMap<String, Vec<String>>;

async fn accepted_events(world: &World, room: &str, server: usize) -> (Graph, BTreeSet<String>) {
    let server = &world.servers[server];
    let store = server.stores().remove(0);
    let number = store.find_interned(room.as_bytes()).await;
    let number = number.expect("the store answers").unwrap_or_default();
    let stored = events::list_from(&mut store.read(), number, i64::MIN, 1_000_000).await;
    let (mut graph, mut joins) = (Graph::new(), BTreeSet::new());
    for event in stored.expect("the store answers") {
        let json: Value = serde_json::from_str(&event.json).expect("events are JSON");
        let own = json["sender"]
            .as_str()
            .is_some_and(|sender| sender.ends_with(&format!(":{}", server.name())));
        if own && json["content"]["membership"] == "join" {
            joins.insert(event.id.clone());
        }
        graph.insert(event.id, references(&json, "prev_events"));
    }
    (graph, joins)
}

/// The ids in a list of an event's references; in old rooms each stands in a pair with its hash.
pub(super) fn references(event: &Value, key: &str) -> Vec<String> {
    let ids = event[key].as_array().into_iter().flatten();
    ids.filter_map(|id| id.as_str().or_else(|| id[0].as_str()))
        .map(str::to_owned)
        .collect()
}

async fn compare_states(
    world: &World,
    room: &str,
    (left, right): (&Holding, &Holding),
) -> Vec<String> {
    let keys: BTreeSet<_> = left.state.keys().chain(right.state.keys()).collect();
    let mut found = Vec::new();
    for key in keys {
        let (here, there) = (left.state.get(key), right.state.get(key));
        if here == there || stands_by_version_1(world, (left, right), (here, there)).await {
            continue;
        }
        let (server, other) = (&left.server, &right.server);
        found.push(format!(
            "{room}: {key:?} is {here:?} on {server} and {there:?} on {other}"
        ));
    }
    found
}

/// Whether only one of two servers has an event in the state of a room of version 1 because the other
/// has soft-failed it. By the resolution of that version what only one side knows stands; but who
/// soft-fails an event soft-fails what is built on it, too, and so never comes to resolve it.
async fn stands_by_version_1(
    world: &World,
    (left, right): (&Holding, &Holding),
    (here, there): (Option<&String>, Option<&String>),
) -> bool {
    let (event, other) = match (here, there) {
        (Some(event), None) => (event, right),
        (None, Some(event)) => (event, left),
        _ => return false,
    };
    other.version == "1" && status(world, other.index, event).await == Some(Status::SoftFailed)
}

/// Events that one server has accepted and another lacks, though they come after all that its
/// users did to be in the room.
async fn missing_events(world: &World, room: &str, has: &Holding, lacks: &Holding) -> Vec<String> {
    let mut found = Vec::new();
    for id in has.events.keys() {
        if lacks.events.contains_key(id) {
            continue;
        }
        let before = ancestors(&has.events, id);
        if lacks.joins.is_empty() || !lacks.joins.is_subset(&before) {
            continue;
        }
        let status = status(world, lacks.index, id).await;
        if status != Some(Status::SoftFailed) {
            let (server, other) = (&lacks.server, &has.server);
            found.push(format!(
                "{room}: {server} lacks {id} of {other}: {status:?}"
            ));
        }
    }
    found
}

/// What a server made of an event; None: it does not know it.
async fn status(world: &World, server: usize, id: &str) -> Option<Status> {
    let store = world.servers[server].stores().remove(0);
    let stored = events::list_by_ids(&mut store.read(), &[id]).await;
    Some(stored.expect("the store answers").first()?.status)
}

fn ancestors(graph: &Graph, id: &str) -> BTreeSet<String> {
    let (mut found, mut open) = (BTreeSet::new(), vec![id.to_owned()]);
    while let Some(id) = open.pop() {
        for previous in graph.get(&id).into_iter().flatten() {
            if found.insert(previous.clone()) {
                open.push(previous.clone());
            }
        }
    }
    found
}
