//! What a resolution has been given so far, and what it asks for.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use ruma::{RoomVersionId, room_version_rules::RoomVersionRules};

use super::{AuthNode, EVENTS_MAX, GRAPH_MAX, ResolutionError};
use crate::{
    event::Event,
    trie::{Lookup, Machine, Node, NodeHash, Root, StateKey},
};

/// How many of the events that cite one are looked at first.
const CITING_FIRST: usize = 4;
/// Most of them that are asked for at once.
const CITING_MAX: usize = 1_024;

/// What a resolution needs to go on, each thing once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Nodes of the tries.
    pub nodes: Vec<NodeHash>,
    /// Places in the graph of auth events.
    pub graph: Vec<i64>,
    /// Events that cite others as auth events.
    pub citing: Vec<Citing>,
    /// Whole events.
    pub events: Vec<i64>,
}

/// Asks for the newest events that cite one as their auth event, by descending number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Citing {
    /// The event that is cited.
    pub event: i64,
    /// Only those with a smaller number.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: usize,
    /// The search has come a long way: besides the answer, the newest that cites the event may be told,
    /// the newest that cites that one, and so on for so many steps, each as the answer to a question for
    /// one. They may save round trips.
    pub climb: usize,
}

/// What was loaded of that.
#[derive(Debug, Default)]
pub struct Found {
    /// Nodes, as they are stored.
    pub nodes: Vec<(NodeHash, Arc<[u8]>)>,
    /// Places in the graph.
    pub graph: Vec<AuthNode>,
    /// For each question the places of the events that cite, in descending order. Answers to other
    /// questions are taken if nothing is known of them.
    pub citing: Vec<(Citing, Vec<AuthNode>)>,
    /// Events that were not rejected.
    pub events: Vec<StateEvent>,
}

/// A state event.
#[derive(Clone, Debug)]
pub struct StateEvent {
    /// Its number.
    pub number: i64,
    /// The event.
    pub event: Arc<Event>,
    /// What state decides about it, `m.room.create` included; None if the rules cannot tell, so that
    /// they do not allow it.
    pub auth_keys: Option<Vec<AuthKey>>,
}

/// A key of the state that decides about an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthKey {
    /// The event type.
    pub event_type: String,
    /// The state key.
    pub state_key: String,
    /// Both as numbers; None if no event has them.
    pub key: Option<StateKey>,
}

impl Wanted {
    /// Whether nothing is wanted.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
            && self.graph.is_empty()
            && self.citing.is_empty()
            && self.events.is_empty()
    }
}

/// An answer, or None while it has to be loaded.
pub(super) type Asked<T> = Option<T>;

/// The memory of a resolution. What it is asked for and does not know, it wants.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) version: RoomVersionId,
    /// Whether the room's id names its create event, which is then nobody's auth event.
    pub(super) create_is_implied: bool,
    /// The state of the first fork, to which keys are looked up.
    pub(super) first: Root,
    graph: HashMap<i64, Option<Arc<AuthNode>>>,
    events: HashMap<i64, Option<Arc<StateEvent>>>,
    entries: HashMap<StateKey, Option<i64>>,
    citing: HashMap<i64, Cited>,
    nodes: HashMap<NodeHash, Arc<Node>>,
    lookups: Vec<(Vec<StateKey>, Lookup)>,
    wanted_keys: BTreeSet<StateKey>,
    wanted_nodes: BTreeSet<NodeHash>,
    wanted_graph: BTreeSet<i64>,
    wanted_events: BTreeSet<i64>,
    /// Each with how far the newest may be followed.
    wanted_citing: BTreeMap<i64, usize>,
}

/// The events that cite an event, as far as they are known.
#[derive(Debug, Default)]
struct Cited {
    by: Vec<i64>,
    is_complete: bool,
}

impl Known {
    pub(super) fn new(version: RoomVersionId, rules: &RoomVersionRules, first: Root) -> Known {
        Known {
            version,
            create_is_implied: rules.authorization.room_create_event_id_as_room_id,
            first,
            graph: HashMap::new(),
            events: HashMap::new(),
            entries: HashMap::new(),
            citing: HashMap::new(),
            nodes: HashMap::new(),
            lookups: Vec::new(),
            wanted_keys: BTreeSet::new(),
            wanted_nodes: BTreeSet::new(),
            wanted_graph: BTreeSet::new(),
            wanted_events: BTreeSet::new(),
            wanted_citing: BTreeMap::new(),
        }
    }

    /// An event's place in the graph, if it is an accepted state event.
    pub(super) fn place(&mut self, event: i64) -> Asked<Option<Arc<AuthNode>>> {
        let known = self.graph.get(&event).cloned();
        if known.is_none() {
            self.wanted_graph.insert(event);
        }
        known
    }

    /// An event's place, if it has one and it is known.
    pub(super) fn known_place(&self, event: i64) -> Option<&Arc<AuthNode>> {
        self.graph.get(&event)?.as_ref()
    }

    /// A whole event, if it was accepted.
    pub(super) fn event(&mut self, event: i64) -> Asked<Option<Arc<StateEvent>>> {
        let known = self.events.get(&event).cloned();
        if known.is_none() {
            self.wanted_events.insert(event);
        }
        known
    }

    /// A whole event, if it was accepted and is known.
    pub(super) fn known_event(&self, event: i64) -> Option<&Arc<StateEvent>> {
        self.events.get(&event)?.as_ref()
    }

    /// What the state of the first fork holds under a key.
    pub(super) fn entry(&mut self, key: StateKey) -> Asked<Option<i64>> {
        let known = self.entries.get(&key).copied();
        if known.is_none() {
            self.wanted_keys.insert(key);
        }
        known
    }

    /// What it holds, if that is known.
    pub(super) fn known_entry(&self, key: StateKey) -> Option<i64> {
        self.entries.get(&key).copied().flatten()
    }

    /// The events that cite an event from the `from`th on, newest first, and whether these are all.
    ///
    /// `climb` says how far the newest may be followed if they are not known yet.
    pub(super) fn citing(
        &mut self,
        event: i64,
        from: usize,
        climb: usize,
    ) -> Asked<(&[i64], bool)> {
        let is_known = self
            .citing
            .get(&event)
            .is_some_and(|cited| cited.is_complete || cited.by.len() > from);
        if !is_known {
            let wanted = self.wanted_citing.entry(event).or_default();
            *wanted = climb.max(*wanted);
            return None;
        }
        let cited = self.citing.get(&event)?;
        Some((&cited.by[from.min(cited.by.len())..], cited.is_complete))
    }

    pub(super) fn wanted(&self) -> Wanted {
        Wanted {
            nodes: self.wanted_nodes.iter().copied().collect(),
            graph: self.wanted_graph.iter().copied().collect(),
            citing: self
                .wanted_citing
                .iter()
                .map(|(event, climb)| self.question(*event, *climb))
                .collect(),
            events: self.wanted_events.iter().copied().collect(),
        }
    }

    fn question(&self, event: i64, climb: usize) -> Citing {
        let known = self.citing.get(&event).map_or(&[][..], |cited| &cited.by);
        Citing {
            event,
            before: known.last().copied(),
            limit: match known.len() {
                0 => CITING_FIRST,
                some => (some * 8).min(CITING_MAX),
            },
            climb,
        }
    }

    pub(super) fn supply(&mut self, found: Found) -> Result<(), ResolutionError> {
        for (hash, bytes) in found.nodes {
            let node = Node::load(hash, &bytes)?;
            self.nodes.insert(hash, Arc::new(node));
        }
        for event in std::mem::take(&mut self.wanted_graph) {
            self.graph.entry(event).or_insert(None);
        }
        for event in std::mem::take(&mut self.wanted_events) {
            self.events.entry(event).or_insert(None);
        }
        for node in found.graph {
            self.learn(node);
        }
        for event in found.events {
            self.events.insert(event.number, Some(Arc::new(event)));
        }
        for (question, citing) in found.citing {
            let cited = self.citing.entry(question.event).or_default();
            if cited.by.last().copied() == question.before {
                cited.is_complete = citing.len() < question.limit;
                cited.by.extend(citing.iter().map(|node| node.event));
            }
            self.wanted_citing.remove(&question.event);
            for node in citing {
                self.learn(node);
            }
        }
        self.wanted_nodes.clear();
        Ok(())
    }

    fn learn(&mut self, node: AuthNode) {
        let place = self.graph.entry(node.event).or_default();
        place.get_or_insert_with(|| Arc::new(node));
    }

    pub(super) fn check_limit(&self) -> Result<(), ResolutionError> {
        let events = self.events.len() + self.wanted_events.len();
        let graph = self.graph.len() + self.wanted_graph.len();
        if graph > GRAPH_MAX || events > EVENTS_MAX {
            return Err(ResolutionError::TooFarApart);
        }
        Ok(())
    }

    /// Goes on with the lookups; whether one of them has come to its end.
    pub(super) fn advance_lookups(&mut self) -> Result<bool, ResolutionError> {
        let keys = std::mem::take(&mut self.wanted_keys);
        let keys: Vec<StateKey> = keys.into_iter().collect();
        if !keys.is_empty() && !self.is_looked_up(&keys) {
            let lookup = Lookup::new(self.first, &keys)?;
            self.lookups.push((keys, lookup));
        }
        let mut any = false;
        for (keys, mut lookup) in std::mem::take(&mut self.lookups) {
            if self.pump(&mut lookup)? {
                let found = lookup.finish()?;
                self.entries.extend(keys.into_iter().zip(found));
                any = true;
            } else {
                self.lookups.push((keys, lookup));
            }
        }
        Ok(any)
    }

    /// Whether a lookup that has not ended looks for all of these keys.
    fn is_looked_up(&self, wanted: &[StateKey]) -> bool {
        let mut lookups = self.lookups.iter();
        lookups.any(|(keys, _)| wanted.iter().all(|key| keys.binary_search(key).is_ok()))
    }

    /// Feeds a machine with the nodes that are known, and wants the others; whether it can finish.
    pub(super) fn pump<M: Machine>(&mut self, machine: &mut M) -> Result<bool, ResolutionError> {
        loop {
            let wanted = machine.wanted();
            if wanted.is_empty() {
                return Ok(true);
            }
            let nodes = wanted.iter().filter_map(|hash| self.nodes.get(hash));
            let nodes: Vec<Arc<Node>> = nodes.map(Arc::clone).collect();
            if nodes.len() < wanted.len() {
                let missing = wanted.into_iter();
                let missing = missing.filter(|hash| !self.nodes.contains_key(hash));
                self.wanted_nodes.extend(missing);
                return Ok(false);
            }
            machine.supply_nodes(nodes)?;
        }
    }
}
