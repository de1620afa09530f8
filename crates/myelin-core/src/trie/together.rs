//! Runs several machines side by side.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Machine, Node, NodeHash, TrieError};

/// Machines over maps that share most of their nodes: each node that several of them want at the
/// same level is loaded once, and all together take as many round trips as the slowest of them. The
/// output has the order of the machines.
#[derive(Debug)]
pub struct Together<M>(Vec<M>);

impl<M: Machine> Together<M> {
    /// Puts the machines together.
    pub fn new(machines: Vec<M>) -> Together<M> {
        Together(machines)
    }
}

impl<M: Machine> Machine for Together<M> {
    type Output = Vec<M::Output>;

    fn wanted(&self) -> Vec<NodeHash> {
        let mut seen = HashSet::new();
        let mut wanted: Vec<NodeHash> = self.0.iter().flat_map(Machine::wanted).collect();
        wanted.retain(|hash| seen.insert(*hash));
        wanted
    }

    fn supply_nodes(&mut self, nodes: Vec<Arc<Node>>) -> Result<(), TrieError> {
        let supplied: HashMap<NodeHash, Arc<Node>> =
            nodes.into_iter().map(|node| (node.hash, node)).collect();
        for machine in &mut self.0 {
            let own = machine.wanted().into_iter();
            let own = own
                .filter_map(|hash| supplied.get(&hash).cloned())
                .collect();
            machine.supply_nodes(own)?;
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<M::Output>, TrieError> {
        self.0.into_iter().map(Machine::finish).collect()
    }
}
