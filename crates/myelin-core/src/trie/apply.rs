//! Changes a map: gives the new root and the nodes that must be written for it.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::encode::encode;
use super::key::Path;
use super::machine::Supplied;
use super::node::{Edge, Entry, Item};
use super::{INLINE_MAX, Machine, Node, NodeHash, Root, StateKey, TrieError};

/// Applies k insertions and removals in O(k log n) nodes read, and at most as many written and a few
/// more where a full slot becomes a node. Reads only what lies on the way to a changed key: neither
/// splitting an edge nor joining two needs the child's content.
///
/// The output is the new root and the nodes that were not among those read.
#[derive(Debug)]
pub struct Apply {
    root: Root,
    /// Ascending, each path once.
    changes: Vec<Change>,
    /// The nodes to load, each with the changes below it.
    pending: Vec<(Edge, Range<usize>)>,
    opened: HashMap<NodeHash, Arc<Node>>,
}

#[derive(Clone, Copy, Debug)]
struct Change {
    path: Path,
    value: Option<i64>,
}

impl Apply {
    /// Starts from `root` with `changes`: a value is inserted or replaced, None is removed, absent or
    /// not. Of several changes of one key the last one counts.
    pub fn new(root: Root, changes: Vec<(StateKey, Option<i64>)>) -> Result<Apply, TrieError> {
        let mut sorted = Vec::with_capacity(changes.len());
        for (key, value) in changes {
            let path = key.path()?;
            sorted.push(Change { path, value });
        }
        // The sort is stable, so the last change of a key is still the last of its group.
        sorted.sort_by_key(|change| change.path);
        sorted.dedup_by(|later, kept| {
            let same = later.path == kept.path;
            if same {
                kept.value = later.value;
            }
            same
        });
        let pending = match root.edge() {
            Some(edge) if !sorted.is_empty() => vec![(edge, 0..sorted.len())],
            _ => Vec::new(),
        };
        Ok(Apply {
            root,
            changes: sorted,
            pending,
            opened: HashMap::new(),
        })
    }

    /// The child behind an item with those of a range of changes that lie below it, if there are any.
    fn below(&self, item: &Item, range: &Range<usize>) -> Option<(Edge, Range<usize>)> {
        let Item::Edge(child) = item else { return None };
        let changes = &self.changes[range.clone()];
        let start = changes.partition_point(|change| change.path < item.path());
        let end = changes.partition_point(|change| change.path <= item.last());
        (start < end).then(|| (*child, range.start + start..range.start + end))
    }

    /// Appends to `merged` what a node holds after the changes below it: its items, but in place of a
    /// child that was opened what that one holds.
    fn merge(
        &self,
        items: &[Item],
        changes: &[Change],
        merged: &mut Vec<Item>,
    ) -> Result<(), TrieError> {
        let mut rest = changes;
        for item in items {
            let (before, within);
            (before, rest) =
                rest.split_at(rest.partition_point(|change| change.path < item.path()));
            (within, rest) =
                rest.split_at(rest.partition_point(|change| change.path <= item.last()));
            merged.extend(before.iter().filter_map(Change::insertion));
            match item {
                _ if within.is_empty() => merged.push(*item),
                Item::Entry(_) => merged.extend(within.iter().filter_map(Change::insertion)),
                Item::Edge(edge) => self.merge(&self.node(edge)?.items, within, merged)?,
            }
        }
        merged.extend(rest.iter().filter_map(Change::insertion));
        Ok(())
    }

    fn node(&self, edge: &Edge) -> Result<&Node, TrieError> {
        match self.opened.get(&edge.hash) {
            Some(node) => Ok(node),
            None => Err(TrieError::Missing(edge.hash)),
        }
    }
}

impl Machine for Apply {
    type Output = (Root, Vec<(NodeHash, Vec<u8>)>);

    fn wanted(&self) -> Vec<NodeHash> {
        self.pending.iter().map(|(edge, _)| edge.hash).collect()
    }

    fn supply_nodes(&mut self, nodes: Vec<Arc<Node>>) -> Result<(), TrieError> {
        let supplied = Supplied::new(nodes);
        for (edge, range) in std::mem::take(&mut self.pending) {
            let node = supplied.get(&edge)?;
            let below = node
                .items
                .iter()
                .filter_map(|item| self.below(item, &range));
            self.pending.extend(below.collect::<Vec<_>>());
            self.opened.insert(edge.hash, Arc::clone(node));
        }
        Ok(())
    }

    fn finish(self) -> Result<Self::Output, TrieError> {
        if !self.pending.is_empty() {
            return Err(TrieError::Unfinished);
        }
        if self.changes.is_empty() {
            return Ok((self.root, Vec::new()));
        }
        let mut items = Vec::new();
        match self.root.edge() {
            Some(edge) => self.merge(&self.node(&edge)?.items, &self.changes, &mut items)?,
            None => self.merge(&[], &self.changes, &mut items)?,
        }
        if items.is_empty() {
            return Ok((Root(None), Vec::new()));
        }
        let mut builder = Builder {
            opened: &self.opened,
            written: Vec::new(),
        };
        // The root is a node however few its entries, so that every state but the empty one has a hash.
        let root = builder.write(Path::ROOT, 0, &items);
        Ok((Root(Some(root.hash)), builder.written))
    }
}

/// Builds the canonical trie of some items.
struct Builder<'a> {
    opened: &'a HashMap<NodeHash, Arc<Node>>,
    written: Vec<(NodeHash, Vec<u8>)>,
}

impl Builder<'_> {
    /// Appends to `out` the canonical form of a subtree: its few entries, or one edge.
    fn build(&mut self, items: &[Item], out: &mut Vec<Item>) {
        let few = items.len() <= INLINE_MAX;
        match items {
            [] | [_] => out.extend(items),
            _ if few && items.iter().all(|item| matches!(item, Item::Entry(_))) => {
                out.extend(items);
            }
            [first, .., last] => {
                // Sorted and disjoint: what the outermost two share, all share, and no more.
                let depth = first.path().common(last.path());
                let edge = self.write(first.path().first(depth), depth, items);
                out.push(Item::Edge(edge));
            }
        }
    }

    /// Makes the node at a place, with the nodes below it.
    fn write(&mut self, path: Path, depth: u8, items: &[Item]) -> Edge {
        let mut slots = Vec::with_capacity(items.len().min(16 * INLINE_MAX));
        for slot in items.chunk_by(|a, b| a.path().nibble(depth) == b.path().nibble(depth)) {
            self.build(slot, &mut slots);
        }
        let bytes = encode(path, depth, &slots);
        let hash = NodeHash::of(&bytes);
        // A change that changes nothing leads back to a node that was read.
        if !self.opened.contains_key(&hash) {
            self.written.push((hash, bytes));
        }
        Edge { path, depth, hash }
    }
}

impl Change {
    fn insertion(&self) -> Option<Item> {
        let path = self.path;
        self.value.map(|value| Item::Entry(Entry { path, value }))
    }
}
