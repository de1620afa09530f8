//! Keys of room state: a pair of interned numbers, and its path of 24 nibbles through the trie.

use super::TrieError;

/// Number of nibbles in a key.
pub(super) const NIBBLES: u8 = 24;
/// How many of them, from the front, are the event type.
pub(super) const TYPE_NIBBLES: u8 = 8;

/// The interned number of `m.room.create`.
pub const TYPE_CREATE: i64 = 1;
/// The interned number of `m.room.member`.
pub const TYPE_MEMBER: i64 = 2;
/// The interned number of `m.room.power_levels`.
pub const TYPE_POWER_LEVELS: i64 = 3;
/// The interned number of `m.room.join_rules`.
pub const TYPE_JOIN_RULES: i64 = 4;
/// The interned number of `m.room.history_visibility`.
pub const TYPE_HISTORY_VISIBILITY: i64 = 5;
/// The interned number of `m.room.canonical_alias`.
pub const TYPE_CANONICAL_ALIAS: i64 = 6;
/// The interned number of `m.room.name`.
pub const TYPE_NAME: i64 = 7;
/// The interned number of `m.room.topic`.
pub const TYPE_TOPIC: i64 = 8;
/// The interned number of `m.room.avatar`.
pub const TYPE_AVATAR: i64 = 9;
/// The interned number of `m.room.encryption`.
pub const TYPE_ENCRYPTION: i64 = 10;
/// The interned number of `m.room.guest_access`.
pub const TYPE_GUEST_ACCESS: i64 = 11;
/// The interned number of `m.room.tombstone`.
pub const TYPE_TOMBSTONE: i64 = 12;
/// The interned number of `m.room.third_party_invite`.
pub const TYPE_THIRD_PARTY_INVITE: i64 = 13;
/// The interned number of `m.room.server_acl`.
pub const TYPE_SERVER_ACL: i64 = 14;
/// The interned number of `m.room.pinned_events`.
pub const TYPE_PINNED_EVENTS: i64 = 15;

/// The interned number of the empty string, which most state keys are.
pub const EMPTY_STATE_KEY: i64 = 16;

/// The event types whose numbers are fixed. The trie gives each a slot of the root to itself, so the
/// store must intern exactly these under exactly these numbers before anything else.
pub const WELL_KNOWN_TYPES: &[(i64, &str)] = &[
    (TYPE_CREATE, "m.room.create"),
    (TYPE_MEMBER, "m.room.member"),
    (TYPE_POWER_LEVELS, "m.room.power_levels"),
    (TYPE_JOIN_RULES, "m.room.join_rules"),
    (TYPE_HISTORY_VISIBILITY, "m.room.history_visibility"),
    (TYPE_CANONICAL_ALIAS, "m.room.canonical_alias"),
    (TYPE_NAME, "m.room.name"),
    (TYPE_TOPIC, "m.room.topic"),
    (TYPE_AVATAR, "m.room.avatar"),
    (TYPE_ENCRYPTION, "m.room.encryption"),
    (TYPE_GUEST_ACCESS, "m.room.guest_access"),
    (TYPE_TOMBSTONE, "m.room.tombstone"),
    (TYPE_THIRD_PARTY_INVITE, "m.room.third_party_invite"),
    (TYPE_SERVER_ACL, "m.room.server_acl"),
    (TYPE_PINNED_EVENTS, "m.room.pinned_events"),
];

/// The key of one entry of room state, both parts as interned numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateKey {
    /// The event type: at least 0 and less than 2^28, or machines refuse the key.
    pub event_type: i64,
    /// The state key: any number.
    pub state_key: i64,
}

impl StateKey {
    pub(super) fn path(self) -> Result<Path, TrieError> {
        let type_path = Path::of_type(self.event_type)?;
        let mixed = mix(self.state_key.cast_unsigned());
        Ok(Path(type_path.0 | u128::from(mixed)))
    }
}

/// The nibbles of a key, first nibble highest, in the lower 96 bits; of a place above the entries only
/// the first nibbles are meant and the rest are zero. Ordered like the nibbles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Path(u128);

impl Path {
    pub(super) const ROOT: Path = Path(0);

    /// The place of all entries of one type, at depth [`TYPE_NIBBLES`].
    pub(super) fn of_type(event_type: i64) -> Result<Path, TrieError> {
        let code = match u32::try_from(event_type) {
            Ok(well_known @ 1..=15) => well_known << 28,
            Ok(other) if other < 1 << 28 => other,
            _ => return Err(TrieError::TypeOutOfRange(event_type)),
        };
        Ok(Path(u128::from(code) << 64))
    }

    /// The number of the type this path leads to, whether or not [`Path::of_type`] made it.
    pub(super) fn event_type(self) -> i64 {
        let code = ((self.0 >> 64) & 0xffff_ffff) as u32;
        match code >> 28 {
            0 => i64::from(code),
            well_known => i64::from(well_known),
        }
    }

    /// Whether the first nibbles are those that [`Path::of_type`] gives for some type.
    pub(super) fn has_type(self) -> bool {
        Path::of_type(self.event_type()) == Ok(self.first(TYPE_NIBBLES))
    }

    /// The key whose path this is.
    pub(super) fn key(self) -> StateKey {
        let mixed = (self.0 & 0xffff_ffff_ffff_ffff) as u64;
        StateKey {
            event_type: self.event_type(),
            state_key: unmix(mixed).cast_signed(),
        }
    }

    pub(super) fn nibble(self, index: u8) -> u8 {
        debug_assert!(index < NIBBLES);
        ((self.0 >> shift(index + 1)) & 0xf) as u8
    }

    /// This path, whose nibble at `index` is zero, with another one there.
    pub(super) fn with_nibble(self, index: u8, nibble: u8) -> Path {
        debug_assert!(index < NIBBLES && nibble < 16);
        Path(self.0 | u128::from(nibble) << shift(index + 1))
    }

    /// The first `depth` nibbles, the rest zero: the least path of the place.
    pub(super) fn first(self, depth: u8) -> Path {
        Path(self.0 & !below(depth))
    }

    /// The greatest path that shares the first `depth` nibbles.
    pub(super) fn last(self, depth: u8) -> Path {
        Path(self.0 | below(depth))
    }

    /// How many leading nibbles the two have in common.
    pub(super) fn common(self, other: Path) -> u8 {
        let zeros = ((self.0 ^ other.0) << 32).leading_zeros() / 4;
        u8::try_from(zeros).map_or(NIBBLES, |zeros| zeros.min(NIBBLES))
    }
}

/// Number of bits behind the first `depth` nibbles.
fn shift(depth: u8) -> u32 {
    4 * u32::from(NIBBLES.saturating_sub(depth))
}

fn below(depth: u8) -> u128 {
    (1 << shift(depth)) - 1
}

/// The output function of `SplitMix64`: each input bit sways every output bit, and it can be undone.
fn mix(number: u64) -> u64 {
    let mut x = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Undoes [`mix`]: its steps backwards, with the multipliers' inverses modulo 2^64.
fn unmix(mixed: u64) -> u64 {
    let mut x = mixed ^ (mixed >> 31) ^ (mixed >> 62);
    x = x.wrapping_mul(0x3196_42b2_d24d_8ec3);
    x = (x ^ (x >> 27) ^ (x >> 54)).wrapping_mul(0x96de_1b17_3f11_9089);
    x = x ^ (x >> 30) ^ (x >> 60);
    x.wrapping_sub(0x9e37_79b9_7f4a_7c15)
}
