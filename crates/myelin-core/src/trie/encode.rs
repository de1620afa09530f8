//! The encoder of nodes; the format is described in the module above.

use super::key::{Path, TYPE_NIBBLES};
use super::node::{Edge, Entry, Item};

/// The kind of a slot that holds a child one nibble further down.
pub(super) const KIND_CHILD: u8 = 5;
/// The kind of a slot that holds a child behind skipped nibbles.
pub(super) const KIND_SKIP: u8 = 6;

/// Encodes the node at a place from its items, which must be canonical: in ascending order, and in each
/// slot at most [`INLINE_MAX`](super::INLINE_MAX) entries or one edge.
pub(super) fn encode(path: Path, depth: u8, items: &[Item]) -> Vec<u8> {
    let mut out = Vec::with_capacity(32 + 17 * items.len());
    out.push(depth);
    put_nibbles(&mut out, (0..depth).map(|index| path.nibble(index)));
    let mut bitmap = 0u16;
    let mut kinds = Vec::with_capacity(16);
    for slot in items.chunk_by(|a, b| a.path().nibble(depth) == b.path().nibble(depth)) {
        bitmap |= 1 << slot[0].path().nibble(depth);
        kinds.push(kind(depth, slot));
    }
    out.extend(bitmap.to_be_bytes());
    put_nibbles(&mut out, kinds.into_iter());
    for item in items {
        match item {
            Item::Entry(entry) => put_entry(&mut out, depth, entry),
            Item::Edge(edge) => put_edge(&mut out, depth, edge),
        }
    }
    out
}

fn kind(depth: u8, slot: &[Item]) -> u8 {
    match slot {
        [Item::Edge(edge)] if edge.depth == depth + 1 => KIND_CHILD,
        [Item::Edge(_)] => KIND_SKIP,
        entries => u8::try_from(entries.len()).unwrap_or(u8::MAX),
    }
}

fn put_entry(out: &mut Vec<u8>, depth: u8, entry: &Entry) {
    let key = entry.path.key();
    if depth < TYPE_NIBBLES {
        put_varint(out, key.event_type.cast_unsigned());
    }
    put_varint(out, key.state_key.cast_unsigned());
    put_varint(out, entry.value.cast_unsigned());
}

fn put_edge(out: &mut Vec<u8>, depth: u8, edge: &Edge) {
    let skipped = edge.depth - depth - 1;
    if skipped > 0 {
        out.push(skipped);
        put_nibbles(
            out,
            (depth + 1..edge.depth).map(|index| edge.path.nibble(index)),
        );
    }
    out.extend(edge.hash.0);
}

/// Two nibbles a byte, the first one high; an odd number is padded with zero.
fn put_nibbles(out: &mut Vec<u8>, mut nibbles: impl Iterator<Item = u8>) {
    while let Some(high) = nibbles.next() {
        out.push(high << 4 | nibbles.next().unwrap_or(0));
    }
}

/// LEB128: seven bits a byte, the lowest first.
fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push((number & 0x7f) as u8);
}
