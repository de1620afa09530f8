//! The protocol common to all machines: they say which nodes they need, the caller loads them.

use std::collections::HashMap;
use std::sync::Arc;

use super::node::Edge;
use super::{Node, NodeHash, TrieError};

/// A computation over stored nodes that does no I/O itself. While `wanted` is not empty, load those
/// nodes and supply them, all at once: this is one round trip per level of the trie.
pub trait Machine {
    /// What the machine computes.
    type Output;

    /// The nodes needed to go on, each once; empty when the machine can finish.
    fn wanted(&self) -> Vec<NodeHash>;

    /// Takes the wanted nodes, decoded, in any order. After an error the machine is of no use.
    fn supply_nodes(&mut self, nodes: Vec<Arc<Node>>) -> Result<(), TrieError>;

    /// The result, once nothing is wanted.
    fn finish(self) -> Result<Self::Output, TrieError>;

    /// Takes the wanted nodes as they are stored.
    fn supply<B: AsRef<[u8]>>(&mut self, loaded: Vec<(NodeHash, B)>) -> Result<(), TrieError> {
        let nodes = loaded
            .into_iter()
            .map(|(hash, bytes)| Node::load(hash, bytes.as_ref()).map(Arc::new))
            .collect::<Result<_, _>>()?;
        self.supply_nodes(nodes)
    }
}

/// Runs a machine to its end with a `load` that gives the stored bytes of all the nodes asked for.
pub fn drive<M, B, E, F>(mut machine: M, mut load: F) -> Result<M::Output, E>
where
    M: Machine,
    B: AsRef<[u8]>,
    E: From<TrieError>,
    F: FnMut(&[NodeHash]) -> Result<Vec<(NodeHash, B)>, E>,
{
    loop {
        let wanted = machine.wanted();
        if wanted.is_empty() {
            return Ok(machine.finish()?);
        }
        machine.supply(load(&wanted)?)?;
    }
}

/// The nodes of one round, to be taken by the edges that lead to them.
pub(super) struct Supplied(HashMap<NodeHash, Arc<Node>>);

impl Supplied {
    pub(super) fn new(nodes: Vec<Arc<Node>>) -> Supplied {
        Supplied(nodes.into_iter().map(|node| (node.hash, node)).collect())
    }

    pub(super) fn get(&self, edge: &Edge) -> Result<&Arc<Node>, TrieError> {
        let node = self
            .0
            .get(&edge.hash)
            .ok_or(TrieError::Missing(edge.hash))?;
        if (node.path, node.depth) == (edge.path, edge.depth) {
            Ok(node)
        } else {
            Err(TrieError::WrongPlace(edge.hash))
        }
    }
}
