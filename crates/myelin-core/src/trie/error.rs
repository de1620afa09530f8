//! What can go wrong in a trie: all of it means damaged storage or a caller's mistake.

use super::NodeHash;

/// Why a machine cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrieError {
    /// A wanted node was not among those supplied.
    #[error("trie node {0} is missing")]
    Missing(NodeHash),
    /// The bytes stored under a hash have another.
    #[error("trie node {wanted} is damaged: its bytes hash to {found}")]
    WrongHash {
        /// What the bytes were stored under.
        wanted: NodeHash,
        /// What they hash to.
        found: NodeHash,
    },
    /// The bytes are not what the encoder writes.
    #[error("trie node {hash} is malformed")]
    Malformed {
        /// The hash of the bytes.
        hash: NodeHash,
        /// What is wrong with them.
        #[source]
        fault: Fault,
    },
    /// A node hangs where it does not belong.
    #[error("trie node {0} belongs to another place than its parent's")]
    WrongPlace(NodeHash),
    /// A root is stored as 16 bytes, or none for the empty map.
    #[error("a trie root of {0} bytes")]
    RootLength(usize),
    /// The number of an event type does not fit the 28 bits a key has for it.
    #[error("event type number {0} is out of range")]
    TypeOutOfRange(i64),
    /// `finish` was called while nodes were still wanted.
    #[error("the trie machine still wants nodes")]
    Unfinished,
}

/// What the decoder found in bytes that no encoder wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The bytes end within a field.
    #[error("the bytes end too early")]
    Truncated,
    /// There are bytes after the last slot.
    #[error("bytes follow the last slot")]
    Trailing,
    /// A node or child would lie below the last nibble of a key.
    #[error("a depth lies outside the key")]
    Depth,
    /// The unused half of a byte of nibbles is not zero.
    #[error("padding is not zero")]
    Padding,
    /// A number is written longer than needed, or beyond 64 bits.
    #[error("a varint is not minimal or too large")]
    Varint,
    /// No slot is occupied.
    #[error("no slot is occupied")]
    Empty,
    /// A slot's kind is none of 1 to 6.
    #[error("a slot has an unknown kind")]
    Kind,
    /// A child's edge says it skips nibbles and skips none.
    #[error("a child skips no nibbles but says so")]
    Skip,
    /// The event type of an entry or of the node's path is not one a key can hold.
    #[error("an event type is out of range")]
    EventType,
    /// An entry belongs to another slot or node.
    #[error("an entry lies outside its slot")]
    Slot,
    /// The entries of a slot do not ascend.
    #[error("entries are not in ascending order")]
    Order,
    /// A node other than the root has one slot only, which its parent's edge should skip.
    #[error("only one slot is occupied")]
    Single,
    /// A node other than the root has so few entries that its parent should hold them.
    #[error("too few entries for a node")]
    Small,
}
