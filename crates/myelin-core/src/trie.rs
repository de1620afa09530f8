//! Room state as a persistent map: an immutable, content-addressed radix trie, walked by step machines.
//!
//! # Why this shape
//!
//! A room keeps a state for every event, and neighbours differ in one entry. A trie whose nodes are
//! named by the hash of their content shares everything else: a change writes the nodes on one path,
//! and two states are compared by descending only where hashes differ.
//!
//! - **Keys** are 24 nibbles: eight of the event type's number, then sixteen of the state key's number
//!   mixed by a bijection ([`StateKey`]). One type is one prefix, and members, which are nearly all of
//!   a large room, have a slot of the root to themselves. Mixing spreads numbers that were handed out
//!   in sequence, so that the trie stays balanced without ever being rebalanced.
//! - **Small subtrees live in their parent**: one with at most [`INLINE_MAX`] entries is written out
//!   in its parent's slot, so no row of the database holds a single entry.
//! - **Skipped nibbles live on the edge**, beside the child's hash, and each node names its own place.
//!   A key that leaves an edge halfway is seen without loading the child, splitting and joining edges
//!   leaves the child as it is, and a node cannot be mistaken for one of another place.
//! - **Canonical**: the shape follows from the set of entries alone. Equal states have equal roots, in
//!   whichever order they came about, and the decoder refuses whatever the encoder would not write.
//!
//! # Encoding of a node
//!
//! The depth (one byte); as many nibbles of path, packed; a bitmap of the occupied slots (two bytes,
//! big endian); for each of those its kind, one nibble, packed (1 to 4: so many entries, 5: a child,
//! 6: a child behind skipped nibbles); then the slots in order. An entry is its type (only above depth
//! 8, below which the path tells it), state key and event as varints: the key's interned number is
//! shorter than what would be left of its mixed nibbles. A child is its hash, for kind 6 after the
//! number of skipped nibbles (one byte) and these, packed.
//!
//! # Cost
//!
//! With n entries, the nodes on one path are about 2 + log16(n / 4): a join writes 5 nodes or 1.1 kB
//! among 100,000 members, and most other state events the root alone, about 120 bytes. Every machine
//! takes one round trip per level and loads each node at most once.
//!
//! | machine | nodes read | nodes written |
//! |---|---|---|
//! | [`Lookup`] of k keys | O(k log n) | |
//! | [`List`] | O(n), or O(entries of the type) | |
//! | [`Apply`] of k changes | O(k log n) | O(k log n) |
//! | [`Difference`] of k entries | O(k log n) | |
//! | [`Together`] of m machines | at most their sum | |

mod apply;
mod decode;
mod difference;
mod encode;
mod error;
mod key;
mod list;
mod lookup;
mod machine;
mod node;
#[cfg(test)]
mod tests;
mod together;

pub use apply::Apply;
pub use difference::{Changed, Difference};
pub use error::{Fault, TrieError};
pub use key::{
    EMPTY_STATE_KEY, StateKey, TYPE_AVATAR, TYPE_CANONICAL_ALIAS, TYPE_CREATE, TYPE_ENCRYPTION,
    TYPE_GUEST_ACCESS, TYPE_HISTORY_VISIBILITY, TYPE_JOIN_RULES, TYPE_MEMBER, TYPE_NAME,
    TYPE_PINNED_EVENTS, TYPE_POWER_LEVELS, TYPE_SERVER_ACL, TYPE_THIRD_PARTY_INVITE,
    TYPE_TOMBSTONE, TYPE_TOPIC, WELL_KNOWN_TYPES,
};
pub use list::List;
pub use lookup::Lookup;
pub use machine::{Machine, drive};
pub use node::{INLINE_MAX, Node, NodeHash, Root};
pub use together::Together;
