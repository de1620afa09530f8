//! Lists a map, or one event type of it, or all but one.

use std::sync::Arc;

use super::key::{Path, TYPE_NIBBLES};
use super::machine::Supplied;
use super::node::{Edge, Item};
use super::{Machine, Node, NodeHash, Root, StateKey, TrieError};

/// Lists all entries, those of one event type, or those of all others, sorted by key. Reads each node
/// that has wanted entries below it once, and no other but the one or two above an event type.
#[derive(Debug)]
pub struct List {
    /// The place below which entries are wanted, and its depth.
    prefix: (Path, u8),
    /// The place of an event type below which none is wanted.
    without: Option<Path>,
    entries: Vec<(StateKey, i64)>,
    pending: Vec<Edge>,
}

impl List {
    /// Lists everything.
    pub fn all(root: Root) -> List {
        List::below(root, (Path::ROOT, 0))
    }

    /// Lists the entries of one event type.
    pub fn of_type(root: Root, event_type: i64) -> Result<List, TrieError> {
        let path = Path::of_type(event_type)?;
        Ok(List::below(root, (path, TYPE_NIBBLES)))
    }

    /// Lists the entries of all event types but one: of a large room's state all but the members.
    pub fn without_type(root: Root, event_type: i64) -> Result<List, TrieError> {
        let mut list = List::all(root);
        list.without = Some(Path::of_type(event_type)?);
        Ok(list)
    }

    fn below(root: Root, prefix: (Path, u8)) -> List {
        List {
            prefix,
            without: None,
            entries: Vec::new(),
            pending: root.edge().into_iter().collect(),
        }
    }

    fn take(&mut self, item: &Item) {
        let (prefix, depth) = self.prefix;
        let shared = item.depth().min(depth);
        if item.path().first(shared) != prefix.first(shared) {
            return;
        }
        let in_type = item.depth() >= TYPE_NIBBLES;
        if in_type && self.without == Some(item.path().first(TYPE_NIBBLES)) {
            return;
        }
        match item {
            Item::Entry(entry) => self.entries.push((entry.path.key(), entry.value)),
            Item::Edge(child) => self.pending.push(*child),
        }
    }
}

impl Machine for List {
    type Output = Vec<(StateKey, i64)>;

    fn wanted(&self) -> Vec<NodeHash> {
        self.pending.iter().map(|edge| edge.hash).collect()
    }

    fn supply_nodes(&mut self, nodes: Vec<Arc<Node>>) -> Result<(), TrieError> {
        let supplied = Supplied::new(nodes);
        for edge in std::mem::take(&mut self.pending) {
            for item in &supplied.get(&edge)?.items {
                self.take(item);
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<(StateKey, i64)>, TrieError> {
        if !self.pending.is_empty() {
            return Err(TrieError::Unfinished);
        }
        self.entries.sort_unstable();
        Ok(self.entries)
    }
}
