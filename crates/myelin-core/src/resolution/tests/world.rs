//! Rooms whose graphs tests make event by event, stored in memory, with counts of what is read.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ruma::{OwnedEventId, OwnedRoomId, RoomVersionId, UserId, user_id};
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use crate::{
    auth,
    event::{Event, from_stored},
    resolution::{
        AuthKey, AuthNode, Citing, Found, Resolution, ResolutionError, Resolved, StateEvent, Wanted,
    },
    trie::{Apply, EMPTY_STATE_KEY, NodeHash, Root, StateKey, TrieError, WELL_KNOWN_TYPES, drive},
};

pub(super) type StateMap = BTreeMap<StateKey, i64>;

/// What was read for one resolution.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reads {
    pub(super) rounds: usize,
    pub(super) nodes: usize,
    pub(super) graph: usize,
    pub(super) events: usize,
}

/// A room.
pub(super) struct World {
    pub(super) version: RoomVersionId,
    room_id: OwnedRoomId,
    names: HashMap<String, i64>,
    ids: HashMap<OwnedEventId, i64>,
    nodes: HashMap<NodeHash, Arc<[u8]>>,
    /// By number.
    pub(super) events: BTreeMap<i64, Arc<Event>>,
    pub(super) places: HashMap<i64, AuthNode>,
    citing: HashMap<i64, BTreeSet<i64>>,
    /// The state after each event.
    roots: HashMap<i64, Root>,
    /// Accepted events that are treated as if they had been rejected.
    pub(super) rejected: BTreeSet<i64>,
    pub(super) reads: Reads,
}

pub(super) fn alice() -> &'static UserId {
    user_id!("@alice:example.org")
}

/// What a test says of an event.
pub(super) struct Draft<'a> {
    pub(super) sender: &'a UserId,
    pub(super) event_type: &'a str,
    pub(super) state_key: Option<&'a str>,
    pub(super) content: Value,
    pub(super) ts: u64,
}

impl World {
    /// A room with nothing but its create event, by Alice, which has the number 1.
    pub(super) fn new(version: &RoomVersionId) -> World {
        let names = WELL_KNOWN_TYPES
            .iter()
            .map(|(number, name)| ((*name).to_owned(), *number));
        let mut names: HashMap<String, i64> = names.collect();
        names.insert(String::new(), EMPTY_STATE_KEY);
        let mut world = World {
            version: version.clone(),
            room_id: ruma::room_id!("!room:example.org").to_owned(),
            names,
            ids: HashMap::new(),
            nodes: HashMap::new(),
            events: BTreeMap::new(),
            places: HashMap::new(),
            citing: HashMap::new(),
            roots: HashMap::new(),
            rejected: BTreeSet::new(),
            reads: Reads::default(),
        };
        let rules = version.rules().unwrap();
        let mut content = json!({ "room_version": version });
        if !rules.authorization.use_room_create_sender {
            content["creator"] = json!(alice());
        }
        let draft = Draft {
            sender: alice(),
            event_type: "m.room.create",
            state_key: Some(""),
            content,
            ts: 1_000,
        };
        let has_room_id = rules.event_format.require_room_create_room_id;
        let room_id = world.room_id.clone();
        let event = world.make(&draft, has_room_id.then_some(&room_id), &[], &[]);
        world.room_id = event.room_id.clone();
        world.store(event, Root::default());
        world
    }

    /// The usual room: Alice has joined and set power levels and join rules; the last event is returned.
    pub(super) fn with_settings(version: &RoomVersionId, levels: Value) -> (World, i64) {
        let mut world = World::new(version);
        let mut last = world.must(1, &member(alice(), alice(), "join"), 1_001);
        let levels = state("m.room.power_levels", levels);
        last = world.must(last, &(alice(), levels), 1_002);
        let rules = state("m.room.join_rules", json!({ "join_rule": "public" }));
        last = world.must(last, &(alice(), rules), 1_003);
        (world, last)
    }

    /// The number of a string.
    pub(super) fn intern(&mut self, name: &str) -> i64 {
        let next = 100 + i64::try_from(self.names.len()).unwrap();
        *self.names.entry(name.to_owned()).or_insert(next)
    }

    pub(super) fn key(&mut self, event_type: &str, state_key: &str) -> StateKey {
        StateKey {
            event_type: self.intern(event_type),
            state_key: self.intern(state_key),
        }
    }

    /// Adds an event after one other, which must be allowed.
    pub(super) fn must(&mut self, prev: i64, said: &Said<'_>, ts: u64) -> i64 {
        let added = self.add(&[prev], &said.draft(ts));
        added.unwrap_or_else(|error| panic!("{said:?}: {error}"))
    }

    /// Adds an event after some others; refused if the state there does not allow it.
    pub(super) fn add(&mut self, prev: &[i64], draft: &Draft<'_>) -> Result<i64, String> {
        let before = self.resolve_after(prev);
        let event = self.build(prev, before, draft);
        let state = self.auth_state(before, draft);
        let find = |event_type: &str, state_key: &str| {
            let mut events = state.values().map(|number| &*self.events[number]);
            events.find(|event| event.is(event_type, state_key))
        };
        auth::check(&self.version, &event, find).map_err(|error| error.to_string())?;
        Ok(self.store(event, before))
    }

    /// Adds an event as if the rules allowed it.
    pub(super) fn force(&mut self, prev: &[i64], draft: &Draft<'_>) -> i64 {
        let before = self.resolve_after(prev);
        let event = self.build(prev, before, draft);
        self.store(event, before)
    }

    /// Adds an event after one other that is known to be allowed, which tests of large rooms need not ask.
    pub(super) fn grow(&mut self, prev: i64, said: &Said<'_>, ts: u64) -> i64 {
        self.force(&[prev], &said.draft(ts))
    }

    /// Adds an event that cites what it pleases.
    pub(super) fn cite(&mut self, prev: i64, cited: &[i64], said: &Said<'_>, ts: u64) -> i64 {
        let before = self.after(prev);
        let room_id = self.room_id.clone();
        let event = self.make(&said.draft(ts), Some(&room_id), &[prev], cited);
        self.store(event, before)
    }

    /// What the rules look at, the create event included.
    fn auth_state(&mut self, before: Root, draft: &Draft<'_>) -> StateMap {
        let mut keys = self.auth_keys_of(draft);
        keys.push(self.key("m.room.create", ""));
        self.lookup(before, &keys)
    }

    fn auth_keys_of(&mut self, draft: &Draft<'_>) -> Vec<StateKey> {
        let content = serde_json::value::to_raw_value(&draft.content).unwrap();
        let types = auth::auth_types(
            &self.version,
            draft.event_type,
            draft.sender,
            draft.state_key,
            &content,
        );
        let types = types.unwrap().into_iter();
        types
            .map(|(event_type, state_key)| self.key(&event_type, &state_key))
            .collect()
    }

    fn build(&mut self, prev: &[i64], before: Root, draft: &Draft<'_>) -> Event {
        let keys = self.auth_keys_of(draft);
        let auth_events: Vec<i64> = self.lookup(before, &keys).into_values().collect();
        let room_id = self.room_id.clone();
        self.make(draft, Some(&room_id), prev, &auth_events)
    }

    /// An event as it would come out of the database: nobody looks at its hashes and signatures.
    fn make(
        &self,
        draft: &Draft<'_>,
        room_id: Option<&OwnedRoomId>,
        prev: &[i64],
        auth_events: &[i64],
    ) -> Event {
        let id = |number: &i64| &self.events[number].event_id;
        let depth = prev.iter().map(|number| self.events[number].depth).max();
        let mut json = json!({
            "type": draft.event_type,
            "sender": draft.sender,
            "content": draft.content,
            "origin_server_ts": draft.ts,
            "depth": depth.unwrap_or(0) + 1,
            "prev_events": prev.iter().map(id).collect::<Vec<_>>(),
            "auth_events": auth_events.iter().map(id).collect::<Vec<_>>(),
        });
        if let Some(state_key) = draft.state_key {
            json["state_key"] = json!(state_key);
        }
        if let Some(room_id) = room_id {
            json["room_id"] = json!(room_id);
        }
        // Hashes order as ids of events do: unlike their numbers.
        let hash: [u8; 20] = Sha1::digest(self.events.len().to_be_bytes()).into();
        let id = format!("${}", URL_SAFE_NO_PAD.encode(hash));
        let id = OwnedEventId::try_from(id).unwrap();
        from_stored(&json.to_string(), id, &self.version).unwrap()
    }

    fn store(&mut self, event: Event, before: Root) -> i64 {
        let number = i64::try_from(self.events.len()).unwrap() + 1;
        let event = Arc::new(event);
        let mut after = before;
        if let Some(state_key) = &event.state_key {
            let key = self.key(event.type_str(), state_key);
            let auth_events = event.auth_events.iter();
            let auth_events: Vec<&AuthNode> =
                auth_events.map(|id| &self.places[&self.ids[id]]).collect();
            let place = AuthNode::new(number, key, auth_events);
            for auth_event in &place.auth_events {
                self.citing.entry(*auth_event).or_default().insert(number);
            }
            self.places.insert(number, place);
            after = self.apply(before, vec![(key, Some(number))]);
        }
        self.ids.insert(event.event_id.clone(), number);
        self.events.insert(number, event);
        self.roots.insert(number, after);
        number
    }

    /// The root of a state.
    pub(super) fn root_of(&mut self, state: &StateMap) -> Root {
        let entries = state.iter().map(|(key, number)| (*key, Some(*number)));
        self.apply(Root::default(), entries.collect())
    }

    fn apply(&mut self, root: Root, changes: Vec<(StateKey, Option<i64>)>) -> Root {
        let (root, nodes) = self.drive(Apply::new(root, changes).unwrap());
        self.keep(nodes);
        root
    }

    fn keep(&mut self, nodes: Vec<(NodeHash, Vec<u8>)>) {
        let nodes = nodes.into_iter();
        self.nodes
            .extend(nodes.map(|(hash, node)| (hash, node.into())));
    }

    fn drive<M: crate::trie::Machine>(&self, machine: M) -> M::Output {
        let load = |wanted: &[NodeHash]| {
            let nodes = wanted.iter();
            let nodes = nodes.map(|hash| (*hash, Arc::clone(&self.nodes[hash])));
            Ok::<Vec<_>, TrieError>(nodes.collect())
        };
        drive(machine, load).unwrap()
    }

    fn lookup(&self, root: Root, keys: &[StateKey]) -> StateMap {
        let found = self.drive(crate::trie::Lookup::new(root, keys).unwrap());
        let entries = keys.iter().copied().zip(found);
        entries
            .filter_map(|(key, number)| Some((key, number?)))
            .collect()
    }

    /// All entries of a state.
    pub(super) fn state_at(&self, root: Root) -> StateMap {
        self.drive(crate::trie::List::all(root))
            .into_iter()
            .collect()
    }

    /// The state after an event.
    pub(super) fn after(&self, event: i64) -> Root {
        self.roots[&event]
    }

    /// The resolved state after some events.
    pub(super) fn resolve_after(&mut self, events: &[i64]) -> Root {
        let forks: Vec<Root> = events.iter().map(|event| self.roots[event]).collect();
        self.resolve(&forks).unwrap().root
    }

    /// What the resolved state after some events holds under a key.
    pub(super) fn resolved(&mut self, events: &[i64], event_type: &str, key: &str) -> Option<i64> {
        let root = self.resolve_after(events);
        let key = self.key(event_type, key);
        self.lookup(root, &[key]).get(&key).copied()
    }

    /// Resolves states, with the counts of what was read.
    pub(super) fn resolve(&mut self, forks: &[Root]) -> Result<Resolved, ResolutionError> {
        self.reads = Reads::default();
        let mut resolution = Resolution::new(&self.version, forks)?;
        loop {
            let wanted = resolution.wanted();
            if wanted.is_empty() {
                let resolved = resolution.finish()?;
                self.keep(resolved.nodes.clone());
                return Ok(resolved);
            }
            let found = self.load(&wanted);
            resolution.supply(found)?;
        }
    }

    fn load(&mut self, wanted: &Wanted) -> Found {
        let accepted = |event: &i64| !self.rejected.contains(event);
        let graph = wanted.graph.iter().copied().filter(accepted);
        let graph: Vec<AuthNode> = graph
            .filter_map(|event| self.places.get(&event).cloned())
            .collect();
        let mut citing = Vec::new();
        for question in &wanted.citing {
            citing.push((*question, self.cited_by(question)));
            self.climb(question, &mut citing);
        }
        let events: Vec<StateEvent> = wanted
            .events
            .iter()
            .copied()
            .filter(accepted)
            .map(|event| self.state_event(event))
            .collect();
        self.reads.rounds += 1;
        self.reads.nodes += wanted.nodes.len();
        self.reads.graph += graph.len() + citing.iter().map(|(_, it)| it.len()).sum::<usize>();
        self.reads.events += events.len();
        let nodes = wanted.nodes.iter();
        Found {
            nodes: nodes
                .map(|hash| (*hash, Arc::clone(&self.nodes[hash])))
                .collect(),
            graph,
            citing,
            events,
        }
    }

    /// Follows the newest events that cite, as the store does.
    fn climb(&self, question: &Citing, citing: &mut Vec<(Citing, Vec<AuthNode>)>) {
        let mut event = question.event;
        for _ in 0..question.climb {
            let newest = Citing {
                event,
                before: None,
                limit: 1,
                climb: 0,
            };
            let found = self.cited_by(&newest);
            let Some(above) = found.first().map(|it| it.event) else {
                return;
            };
            citing.push((newest, found));
            event = above;
        }
    }

    fn cited_by(&self, question: &Citing) -> Vec<AuthNode> {
        let citing = self.citing.get(&question.event).into_iter().flatten().rev();
        citing
            .filter(|event| question.before.is_none_or(|before| **event < before))
            .filter(|event| !self.rejected.contains(event))
            .take(question.limit)
            .map(|event| self.places[event].clone())
            .collect()
    }

    fn state_event(&self, number: i64) -> StateEvent {
        let event = Arc::clone(&self.events[&number]);
        let types = auth::auth_types(
            &self.version,
            event.type_str(),
            &event.sender,
            event.state_key.as_deref(),
            &event.content,
        );
        let create = ("m.room.create".to_owned(), String::new());
        let auth_keys = types.ok().map(|mut types| {
            if !types.contains(&create) {
                types.push(create);
            }
            let numbers = |event_type: &str, state_key: &str| {
                Some(StateKey {
                    event_type: *self.names.get(event_type)?,
                    state_key: *self.names.get(state_key)?,
                })
            };
            let keys = types.into_iter().map(|(event_type, state_key)| AuthKey {
                key: numbers(&event_type, &state_key),
                event_type,
                state_key,
            });
            keys.collect()
        });
        StateEvent {
            number,
            event,
            auth_keys,
        }
    }
}

/// A state event in short.
pub(super) type Said<'a> = (&'a UserId, State);

#[derive(Clone, Debug)]
pub(super) struct State {
    event_type: String,
    key: String,
    content: Value,
}

trait InShort {
    fn draft(&self, ts: u64) -> Draft<'_>;
}

impl InShort for Said<'_> {
    fn draft(&self, ts: u64) -> Draft<'_> {
        Draft {
            sender: self.0,
            event_type: &self.1.event_type,
            state_key: Some(&self.1.key),
            content: self.1.content.clone(),
            ts,
        }
    }
}

pub(super) fn state(event_type: &str, content: Value) -> State {
    State {
        event_type: event_type.to_owned(),
        key: String::new(),
        content,
    }
}

pub(super) fn member<'a>(sender: &'a UserId, user: &UserId, membership: &str) -> Said<'a> {
    let state = State {
        event_type: "m.room.member".to_owned(),
        key: user.to_string(),
        content: json!({ "membership": membership }),
    };
    (sender, state)
}
