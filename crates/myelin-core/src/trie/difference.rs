//! Compares two maps.

use std::sync::Arc;

use super::key::Path;
use super::machine::Supplied;
use super::node::{Edge, Item};
use super::{Machine, Node, NodeHash, Root, StateKey, TrieError};

/// An entry in which two maps differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Changed {
    /// The key of the entry.
    pub key: StateKey,
    /// Its value in the first map.
    pub before: Option<i64>,
    /// Its value in the second map, never equal to `before`.
    pub after: Option<i64>,
}

/// Finds the k entries in which two maps differ, sorted by key, in O(k log n) nodes: a node that both
/// maps have at the same place is never read. Both maps advance together, one round trip per level.
#[derive(Debug)]
pub struct Difference {
    changed: Vec<Changed>,
    pending: Vec<Region>,
}

/// A part of the key space in which the maps may differ: the place of an edge of one map, which covers
/// whatever the other one has there.
#[derive(Debug)]
struct Region {
    depth: u8,
    before: Vec<Item>,
    after: Vec<Item>,
}

impl Difference {
    /// Compares the map before with the one after.
    pub fn new(before: Root, after: Root) -> Difference {
        let mut difference = Difference {
            changed: Vec::new(),
            pending: Vec::new(),
        };
        let before: Vec<_> = before.edge().map(Item::Edge).into_iter().collect();
        let after: Vec<_> = after.edge().map(Item::Edge).into_iter().collect();
        difference.compare(&before, &after);
        difference
    }

    /// Walks two lists of items in step, notes the entries that differ and the regions to look into.
    fn compare(&mut self, mut before: &[Item], mut after: &[Item]) {
        while let Some(outer) = first_outer(before, after) {
            let (left, right);
            (left, before) = split_after(before, outer.last());
            (right, after) = split_after(after, outer.last());
            match (outer, left, right) {
                _ if left == right => {}
                (Item::Entry(entry), ..) => self.changed.push(Changed {
                    key: entry.path.key(),
                    before: value(left),
                    after: value(right),
                }),
                (Item::Edge(edge), ..) => self.pending.push(Region {
                    depth: edge.depth,
                    before: left.to_vec(),
                    after: right.to_vec(),
                }),
            }
        }
    }
}

impl Machine for Difference {
    type Output = Vec<Changed>;

    fn wanted(&self) -> Vec<NodeHash> {
        let mut wanted = Vec::new();
        for region in &self.pending {
            let edges = [
                spanning(&region.before, region.depth),
                spanning(&region.after, region.depth),
            ];
            wanted.extend(edges.into_iter().flatten().map(|edge| edge.hash));
        }
        wanted
    }

    fn supply_nodes(&mut self, nodes: Vec<Arc<Node>>) -> Result<(), TrieError> {
        let supplied = Supplied::new(nodes);
        for region in std::mem::take(&mut self.pending) {
            let before = open(region.before, region.depth, &supplied)?;
            let after = open(region.after, region.depth, &supplied)?;
            self.compare(&before, &after);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Changed>, TrieError> {
        if !self.pending.is_empty() {
            return Err(TrieError::Unfinished);
        }
        self.changed.sort_unstable();
        Ok(self.changed)
    }
}

/// Of the two next items the one that begins first and, of two at one place, the wider one: nothing
/// that remains of either list overlaps it without lying within it.
fn first_outer(before: &[Item], after: &[Item]) -> Option<Item> {
    let candidates = before.first().into_iter().chain(after.first());
    candidates
        .min_by_key(|item| (item.path(), item.depth()))
        .copied()
}

fn split_after(items: &[Item], last: Path) -> (&[Item], &[Item]) {
    items.split_at(items.partition_point(|item| item.path() <= last))
}

fn value(items: &[Item]) -> Option<i64> {
    match items {
        [Item::Entry(entry)] => Some(entry.value),
        _ => None,
    }
}

/// The edge that spans a whole region, if this map has one: that is what must be loaded.
fn spanning(items: &[Item], depth: u8) -> Option<&Edge> {
    match items {
        [Item::Edge(edge)] if edge.depth == depth => Some(edge),
        _ => None,
    }
}

/// Replaces the edge that spans the whole region by what its node holds.
fn open(items: Vec<Item>, depth: u8, supplied: &Supplied) -> Result<Vec<Item>, TrieError> {
    match spanning(&items, depth) {
        Some(edge) => Ok(supplied.get(edge)?.items.to_vec()),
        None => Ok(items),
    }
}
