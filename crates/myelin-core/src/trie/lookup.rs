//! Finds the values of some keys.

use std::ops::Range;
use std::sync::Arc;

use super::key::Path;
use super::machine::Supplied;
use super::node::{Edge, Item};
use super::{Machine, Node, NodeHash, Root, StateKey, TrieError};

/// Finds the values of k keys in O(k log n) nodes, those on the way to several keys read once. The
/// output has the order of the keys.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// Ascending, each with its place in the output.
    keys: Vec<(Path, usize)>,
    found: Vec<Option<i64>>,
    /// The nodes to load, each with the keys to be found in it.
    pending: Vec<(Edge, Range<usize>)>,
}

impl Lookup {
    /// Starts a lookup of `keys`, which may repeat.
    pub fn new(root: Root, keys: &[StateKey]) -> Result<Lookup, TrieError> {
        let mut paths = Vec::with_capacity(keys.len());
        for (index, key) in keys.iter().enumerate() {
            paths.push((key.path()?, index));
        }
        paths.sort_unstable();
        let pending = match root.edge() {
            Some(edge) if !keys.is_empty() => vec![(edge, 0..keys.len())],
            _ => Vec::new(),
        };
        Ok(Lookup {
            keys: paths,
            found: vec![None; keys.len()],
            pending,
        })
    }

    /// Follows one key through a node: to its value, to a child, or nowhere.
    fn step(&mut self, node: &Node, index: usize) {
        let (path, place) = self.keys[index];
        match (node.find(path), self.pending.last_mut()) {
            (None, _) => {}
            (Some(Item::Entry(entry)), _) => self.found[place] = Some(entry.value),
            // Keys below one child follow each other, because they are sorted.
            (Some(Item::Edge(child)), Some((last, keys))) if last == child => keys.end = index + 1,
            (Some(Item::Edge(child)), _) => self.pending.push((*child, index..index + 1)),
        }
    }
}

impl Machine for Lookup {
    type Output = Vec<Option<i64>>;

    fn wanted(&self) -> Vec<NodeHash> {
        self.pending.iter().map(|(edge, _)| edge.hash).collect()
    }

    fn supply_nodes(&mut self, nodes: Vec<Arc<Node>>) -> Result<(), TrieError> {
        let supplied = Supplied::new(nodes);
        for (edge, range) in std::mem::take(&mut self.pending) {
            let node = supplied.get(&edge)?;
            for index in range {
                self.step(node, index);
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<Option<i64>>, TrieError> {
        if self.pending.is_empty() {
            Ok(self.found)
        } else {
            Err(TrieError::Unfinished)
        }
    }
}
