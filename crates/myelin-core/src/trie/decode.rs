//! The decoder of nodes: accepts exactly what the encoder writes for some set of entries.

use super::encode::{KIND_CHILD, KIND_SKIP};
use super::key::{NIBBLES, Path, TYPE_NIBBLES};
use super::node::{Edge, Entry, Item};
use super::{Fault, INLINE_MAX, NodeHash, StateKey};

/// Decodes a node to its path, depth and items.
pub(super) fn decode(bytes: &[u8]) -> Result<(Path, u8, Vec<Item>), Fault> {
    let mut reader = Reader { rest: bytes };
    let depth = reader.byte()?;
    if depth >= NIBBLES {
        return Err(Fault::Depth);
    }
    let path = reader.nibbles(Path::ROOT, 0, depth)?;
    if depth >= TYPE_NIBBLES && !path.has_type() {
        return Err(Fault::EventType);
    }
    let bitmap = u16::from_be_bytes([reader.byte()?, reader.byte()?]);
    let kinds = reader.kinds(bitmap)?;
    let mut items = Vec::with_capacity(kinds.iter().map(|&(_, kind)| usize::from(kind)).sum());
    for &(slot, kind) in &kinds {
        let place = path.with_nibble(depth, slot);
        match kind {
            KIND_CHILD => items.push(reader.edge(place, depth + 1, 0)?),
            KIND_SKIP => {
                let skipped = reader.byte()?;
                if skipped == 0 {
                    return Err(Fault::Skip);
                }
                items.push(reader.edge(place, depth + 1, skipped)?);
            }
            1..KIND_CHILD => reader.entries(place, depth, kind, &mut items)?,
            _ => return Err(Fault::Kind),
        }
    }
    if !reader.rest.is_empty() {
        return Err(Fault::Trailing);
    }
    check_shape(depth, kinds.len(), &items)?;
    Ok((path, depth, items))
}

/// The root may have any slots but none; any other node exists because it branches and is large.
fn check_shape(depth: u8, slots: usize, items: &[Item]) -> Result<(), Fault> {
    if slots == 0 {
        return Err(Fault::Empty);
    }
    if depth == 0 {
        return Ok(());
    }
    if slots == 1 {
        return Err(Fault::Single);
    }
    let has_child = items.iter().any(|item| matches!(item, Item::Edge(_)));
    if !has_child && items.len() <= INLINE_MAX {
        return Err(Fault::Small);
    }
    Ok(())
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8, Fault> {
        let (&byte, rest) = self.rest.split_first().ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(byte)
    }

    /// Appends `count` nibbles to a path of `depth` nibbles; the sum must not exceed a key's.
    fn nibbles(&mut self, mut path: Path, depth: u8, count: u8) -> Result<Path, Fault> {
        let mut index = depth;
        let end = depth + count;
        while index < end {
            let byte = self.byte()?;
            path = path.with_nibble(index, byte >> 4);
            if index + 1 < end {
                path = path.with_nibble(index + 1, byte & 0xf);
            } else if byte & 0xf != 0 {
                return Err(Fault::Padding);
            }
            index += 2;
        }
        Ok(path)
    }

    /// The occupied slots in order, each with its kind.
    fn kinds(&mut self, bitmap: u16) -> Result<Vec<(u8, u8)>, Fault> {
        let mut kinds = Vec::with_capacity(16);
        let mut half = None;
        for slot in (0..16).filter(|slot| bitmap >> slot & 1 == 1) {
            let kind = if let Some(low) = half.take() {
                low
            } else {
                let byte = self.byte()?;
                half = Some(byte & 0xf);
                byte >> 4
            };
            kinds.push((slot, kind));
        }
        match half {
            Some(1..) => Err(Fault::Padding),
            _ => Ok(kinds),
        }
    }

    fn edge(&mut self, place: Path, depth: u8, skipped: u8) -> Result<Item, Fault> {
        let end = depth.saturating_add(skipped);
        if end >= NIBBLES {
            return Err(Fault::Depth);
        }
        let path = self.nibbles(place, depth, skipped)?;
        let (&hash, rest) = self.rest.split_first_chunk().ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(Item::Edge(Edge {
            path,
            depth: end,
            hash: NodeHash(hash),
        }))
    }

    /// The entries of the slot at `place` of a node at `depth`.
    fn entries(
        &mut self,
        place: Path,
        depth: u8,
        count: u8,
        items: &mut Vec<Item>,
    ) -> Result<(), Fault> {
        let mut previous = None;
        for _ in 0..count {
            let event_type = if depth < TYPE_NIBBLES {
                self.varint()?.cast_signed()
            } else {
                place.event_type()
            };
            let state_key = self.varint()?.cast_signed();
            let value = self.varint()?.cast_signed();
            let key = StateKey {
                event_type,
                state_key,
            };
            let path = key.path().map_err(|_| Fault::EventType)?;
            if path.first(depth + 1) != place {
                return Err(Fault::Slot);
            }
            if previous >= Some(path) {
                return Err(Fault::Order);
            }
            previous = Some(path);
            items.push(Item::Entry(Entry { path, value }));
        }
        Ok(())
    }

    fn varint(&mut self) -> Result<u64, Fault> {
        let mut number = 0;
        let mut shift = 0;
        let last = loop {
            let byte = self.byte()?;
            // The tenth byte has room for one bit, and none to say that another byte follows.
            if shift == 63 && byte > 1 {
                return Err(Fault::Varint);
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break byte;
            }
            shift += 7;
        };
        // A zero at the end is a longer form of the same number, except for zero itself.
        if last == 0 && shift > 0 {
            return Err(Fault::Varint);
        }
        Ok(number)
    }
}
