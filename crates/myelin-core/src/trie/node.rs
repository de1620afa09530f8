//! Nodes in memory, and what names them.

use std::fmt;

use sha2::{Digest, Sha256};

use super::decode::decode;
use super::key::{NIBBLES, Path};
use super::{Fault, TrieError};

/// A subtree with at most so many entries has no node of its own: its parent holds them.
pub const INLINE_MAX: usize = 4;

/// The name of a node: the first 16 bytes of the SHA-256 of its encoding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeHash(pub [u8; 16]);

impl NodeHash {
    pub(super) fn of(bytes: &[u8]) -> NodeHash {
        let mut hash = [0; 16];
        hash.copy_from_slice(&Sha256::digest(bytes)[..16]);
        NodeHash(hash)
    }
}

impl fmt::Display for NodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for NodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A whole map by the hash of its root node; None is the empty map. Equal maps have equal roots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Root(pub Option<NodeHash>);

impl Root {
    /// The 16 bytes of the hash, or none for the empty map.
    pub fn to_bytes(self) -> Vec<u8> {
        self.0.map_or_else(Vec::new, |hash| hash.0.to_vec())
    }

    /// Reads what [`Root::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Root, TrieError> {
        if bytes.is_empty() {
            return Ok(Root(None));
        }
        match bytes.try_into() {
            Ok(hash) => Ok(Root(Some(NodeHash(hash)))),
            Err(_) => Err(TrieError::RootLength(bytes.len())),
        }
    }

    pub(super) fn edge(self) -> Option<Edge> {
        self.0.map(|hash| Edge {
            path: Path::ROOT,
            depth: 0,
            hash,
        })
    }
}

/// A decoded node, checked against its hash and its canonical form. Finding a key in it is one binary
/// search, so it is worth keeping in a cache in place of its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub(super) hash: NodeHash,
    pub(super) path: Path,
    pub(super) depth: u8,
    /// All slots in one list, ascending by path; the nibble at `depth` tells the slot.
    pub(super) items: Box<[Item]>,
}

impl Node {
    /// Decodes bytes that were stored under `hash`.
    pub fn load(hash: NodeHash, bytes: &[u8]) -> Result<Node, TrieError> {
        let found = NodeHash::of(bytes);
        if found != hash {
            return Err(TrieError::WrongHash {
                wanted: hash,
                found,
            });
        }
        Node::decode_as(hash, bytes).map_err(|fault| TrieError::Malformed { hash, fault })
    }

    /// The hash of this node's encoding.
    pub fn hash(&self) -> NodeHash {
        self.hash
    }

    /// About how many bytes of memory the node takes, for the budget of a cache.
    pub fn size_in_memory(&self) -> usize {
        size_of::<Node>() + size_of_val(&*self.items)
    }

    pub(super) fn decode_as(hash: NodeHash, bytes: &[u8]) -> Result<Node, Fault> {
        let (path, depth, items) = decode(bytes)?;
        Ok(Node {
            hash,
            path,
            depth,
            items: items.into(),
        })
    }

    /// The only item of the node under which `path` could be found.
    pub(super) fn find(&self, path: Path) -> Option<&Item> {
        let after = self.items.partition_point(|item| item.path() <= path);
        let item = self.items[..after].last()?;
        item.covers(path).then_some(item)
    }
}

/// What a slot holds: up to [`INLINE_MAX`] entries or one edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Entry(Entry),
    Edge(Edge),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) path: Path,
    pub(super) value: i64,
}

/// A reference to a node, with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) path: Path,
    pub(super) depth: u8,
    pub(super) hash: NodeHash,
}

impl Item {
    /// The least path of the item; siblings do not overlap, so it orders them.
    pub(super) fn path(&self) -> Path {
        match self {
            Item::Entry(entry) => entry.path,
            Item::Edge(edge) => edge.path,
        }
    }

    /// How many nibbles of the path are fixed.
    pub(super) fn depth(&self) -> u8 {
        match self {
            Item::Entry(_) => NIBBLES,
            Item::Edge(edge) => edge.depth,
        }
    }

    /// The greatest path the item can stand for.
    pub(super) fn last(&self) -> Path {
        self.path().last(self.depth())
    }

    pub(super) fn covers(&self, path: Path) -> bool {
        path.first(self.depth()) == self.path()
    }
}
