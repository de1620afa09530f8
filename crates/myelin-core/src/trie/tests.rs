use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::encode::encode;
use super::key::Path;
use super::*;

type Map = BTreeMap<StateKey, i64>;
type Changes = Vec<(StateKey, Option<i64>)>;

/// Stored nodes, with a count of what is read and written.
#[derive(Default)]
struct Disk {
    nodes: HashMap<NodeHash, Arc<[u8]>>,
    reads: usize,
    rounds: usize,
    bytes_read: usize,
    writes: usize,
    bytes_written: usize,
}

impl Disk {
    fn run<M: Machine>(&mut self, machine: M) -> M::Output {
        drive(machine, |wanted| {
            self.rounds += 1;
            self.reads += wanted.len();
            assert_eq!(BTreeSet::from_iter(wanted).len(), wanted.len());
            let nodes: Vec<_> = wanted
                .iter()
                .map(|hash| (*hash, Arc::clone(&self.nodes[hash])))
                .collect();
            self.bytes_read += nodes.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
            Ok::<_, TrieError>(nodes)
        })
        .unwrap()
    }

    fn apply(&mut self, root: Root, changes: &[(StateKey, Option<i64>)]) -> Root {
        let (root, written) = self.run(Apply::new(root, changes.to_vec()).unwrap());
        for (hash, bytes) in written {
            self.writes += 1;
            self.bytes_written += bytes.len();
            self.nodes.insert(hash, bytes.into());
        }
        root
    }

    fn list(&mut self, root: Root) -> Map {
        self.run(List::all(root)).into_iter().collect()
    }

    fn reset(&mut self) {
        let nodes = std::mem::take(&mut self.nodes);
        *self = Disk {
            nodes,
            ..Disk::default()
        };
    }
}

fn key(event_type: i64, state_key: i64) -> StateKey {
    StateKey {
        event_type,
        state_key,
    }
}

fn set_all(map: &Map) -> Changes {
    map.iter()
        .map(|(key, value)| (*key, Some(*value)))
        .collect()
}

fn apply_to_map(map: &mut Map, changes: &[(StateKey, Option<i64>)]) {
    for (key, value) in changes {
        match value {
            Some(value) => map.insert(*key, *value),
            None => map.remove(key),
        };
    }
}

fn map_difference(before: &Map, after: &Map) -> Vec<Changed> {
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    keys.into_iter()
        .map(|key| Changed {
            key: *key,
            before: before.get(key).copied(),
            after: after.get(key).copied(),
        })
        .filter(|changed| changed.before != changed.after)
        .collect()
}

/// Few keys, so that histories hit the same ones again, and some that share long prefixes.
fn any_key() -> impl Strategy<Value = StateKey> {
    let event_type = prop_oneof![
        4 => Just(TYPE_MEMBER),
        2 => 1..=15i64,
        2 => 16..40i64,
        1 => Just(0i64),
        1 => 0..1i64 << 28,
    ];
    let state_key = prop_oneof![
        6 => 0..60i64,
        2 => (0..40i64).prop_map(alike),
        1 => any::<i64>(),
    ];
    (event_type, state_key).prop_map(|(event_type, state_key)| key(event_type, state_key))
}

/// State keys whose mixed nibbles are equal but for the last two or three.
fn alike(number: i64) -> i64 {
    let path = Path::ROOT;
    let number = u8::try_from(number).unwrap();
    let path = path
        .with_nibble(22, number / 16)
        .with_nibble(23, number % 16);
    path.key().state_key
}

fn any_value() -> impl Strategy<Value = i64> {
    prop_oneof![4 => 0..1000i64, 1 => any::<i64>()]
}

fn any_changes(most: usize) -> impl Strategy<Value = Changes> {
    let value = prop_oneof![2 => any_value().prop_map(Some), 1 => Just(None)];
    vec((any_key(), value), 0..most)
}

fn any_map(most: usize) -> impl Strategy<Value = Map> {
    prop::collection::btree_map(any_key(), any_value(), 0..most)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn paths_lead_back_to_their_keys(event_type in 0..1i64 << 28, state_key: i64) {
        let key = key(event_type, state_key);
        let path = key.path().unwrap();
        prop_assert_eq!(path.key(), key);
        prop_assert!(path.has_type());
        prop_assert_eq!(path.first(8), Path::of_type(event_type).unwrap());
    }

    #[test]
    fn any_history_gives_the_root_of_its_content(batches in vec(any_changes(40), 0..8)) {
        let (mut disk, mut map, mut root) = (Disk::default(), Map::new(), Root::default());
        for changes in &batches {
            apply_to_map(&mut map, changes);
            root = disk.apply(root, changes);
            prop_assert_eq!(&disk.list(root), &map);
            let mut fresh = Disk::default();
            prop_assert_eq!(fresh.apply(Root::default(), &set_all(&map)), root);
        }
        prop_assert_eq!(root.0.is_none(), map.is_empty());
    }

    #[test]
    fn one_change_at_a_time_gives_the_same_root(map in any_map(60), mut extra in vec(any_key(), 0..20)) {
        let mut disk = Disk::default();
        let expected = disk.apply(Root::default(), &set_all(&map));
        extra.retain(|key| !map.contains_key(key));
        let mut root = Root::default();
        for key in &extra {
            root = disk.apply(root, &[(*key, Some(1))]);
        }
        for (key, value) in map.iter().rev() {
            root = disk.apply(root, &[(*key, Some(*value))]);
        }
        for key in &extra {
            root = disk.apply(root, &[(*key, None)]);
        }
        prop_assert_eq!(root, expected);
    }

    #[test]
    fn lookups_and_lists_agree_with_the_map(map in any_map(120), keys in vec(any_key(), 0..60)) {
        let mut disk = Disk::default();
        let root = disk.apply(Root::default(), &set_all(&map));
        let keys: Vec<_> = keys.into_iter().chain(map.keys().copied()).collect();
        let expected: Vec<_> = keys.iter().map(|key| map.get(key).copied()).collect();
        prop_assert_eq!(disk.run(Lookup::new(root, &keys).unwrap()), expected);
        for event_type in keys.iter().map(|key| key.event_type).collect::<BTreeSet<_>>() {
            let expected: Vec<_> = map
                .iter()
                .filter(|(key, _)| key.event_type == event_type)
                .map(|(key, value)| (*key, *value))
                .collect();
            prop_assert_eq!(disk.run(List::of_type(root, event_type).unwrap()), expected);
            let others: Vec<_> = map
                .iter()
                .filter(|(key, _)| key.event_type != event_type)
                .map(|(key, value)| (*key, *value))
                .collect();
            prop_assert_eq!(disk.run(List::without_type(root, event_type).unwrap()), others);
        }
        let all: Vec<_> = map.into_iter().collect();
        prop_assert_eq!(disk.run(List::all(root)), all);
    }

    #[test]
    fn differences_agree_with_the_maps(before in any_map(120), after in any_map(120), changes in any_changes(20)) {
        let mut disk = Disk::default();
        let mut near = before.clone();
        apply_to_map(&mut near, &changes);
        let roots: Vec<_> = [&before, &near, &after]
            .map(|map| (disk.apply(Root::default(), &set_all(map)), map))
            .into();
        for (root_before, before) in &roots {
            for (root_after, after) in &roots {
                let found = disk.run(Difference::new(*root_before, *root_after));
                prop_assert_eq!(found, map_difference(before, after));
            }
        }
    }

    #[test]
    fn nodes_decode_and_encode_to_themselves(map in any_map(200)) {
        let mut disk = Disk::default();
        disk.apply(Root::default(), &set_all(&map));
        for (hash, bytes) in &disk.nodes {
            let node = Node::load(*hash, bytes).unwrap();
            prop_assert_eq!(&encode(node.path, node.depth, &node.items)[..], &**bytes);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
        check_decoded(&bytes);
    }

    #[test]
    fn damaged_nodes_never_panic(
        map in any_map(60),
        damage in vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 1..4),
    ) {
        let mut disk = Disk::default();
        disk.apply(Root::default(), &set_all(&map));
        for bytes in disk.nodes.values() {
            let mut bytes = bytes.to_vec();
            for (index, byte, kind) in &damage {
                let index = index.index(bytes.len());
                match kind {
                    0 => bytes[index] = *byte,
                    1 => bytes[index] ^= 1 << (byte % 8),
                    2 => bytes.insert(index, *byte),
                    _ if bytes.len() > 1 => drop(bytes.remove(index)),
                    _ => {}
                }
            }
            check_decoded(&bytes);
        }
    }
}

/// What decodes is canonical: it encodes to the same bytes.
fn check_decoded(bytes: &[u8]) {
    let hash = NodeHash::of(bytes);
    match Node::load(hash, bytes) {
        Ok(node) => assert_eq!(encode(node.path, node.depth, &node.items), bytes),
        Err(TrieError::Malformed { .. }) => {}
        Err(other) => panic!("unexpected {other:?}"),
    }
}

#[test]
fn the_decoder_names_the_fault() {
    // The root of a room with its create event alone: depth 0, slot 1, one entry (1, 7) -> 9.
    let valid = [0, 0, 0b10, 0x10, 1, 7, 9];
    Node::load(NodeHash::of(&valid), &valid).unwrap();
    let cases: [(&[u8], Fault); 19] = [
        (&[], Fault::Truncated),
        (&[0, 0, 0b10, 0x10, 1, 7], Fault::Truncated),
        (&[0, 0, 0b10, 0x50, 1, 7, 9], Fault::Truncated),
        (&[0, 0, 0b10, 0x10, 1, 7, 9, 0], Fault::Trailing),
        (&[24], Fault::Depth),
        (&[255], Fault::Depth),
        (&[0, 0, 0b10, 0x60, 23], Fault::Depth),
        (&[0, 0, 0b10, 0x60, 255], Fault::Depth),
        (&[0, 0, 0b10, 0x11, 1, 7, 9], Fault::Padding),
        (&[0, 0, 0b10, 0x10, 1, 0x87, 0, 9], Fault::Varint),
        (&[0, 0, 0], Fault::Empty),
        (&[0, 0, 0b10, 0x70, 1, 7, 9], Fault::Kind),
        (&[0, 0, 0b10, 0x60, 0], Fault::Skip),
        (
            &[0, 0, 0b10, 0x10, 0x80, 0x80, 0x80, 0x80, 1, 7, 9],
            Fault::EventType,
        ),
        (&[8, 0x20, 0, 0, 1], Fault::EventType),
        (&[8, 0, 0, 0, 2], Fault::EventType),
        (&[0, 0, 0b10, 0x10, 2, 7, 9], Fault::Slot),
        (&[0, 0, 0b10, 0x20, 1, 7, 9, 1, 7, 9], Fault::Order),
        (&[1, 0, 0, 0b1, 0x10, 16, 7, 9], Fault::Single),
    ];
    for (bytes, fault) in cases {
        let hash = NodeHash::of(bytes);
        let error = Node::load(hash, bytes).unwrap_err();
        assert_eq!(error, TrieError::Malformed { hash, fault }, "{bytes:?}");
    }
    // Types 16 and 2^24 in a node of their own, though the root should hold both entries.
    let small = [1, 0, 0, 0b11, 0x11, 16, 7, 9, 0x80, 0x80, 0x80, 0x08, 7, 9];
    let hash = NodeHash::of(&small);
    let fault = Fault::Small;
    let error = Node::load(hash, &small).unwrap_err();
    assert_eq!(error, TrieError::Malformed { hash, fault });
}

#[test]
fn machines_refuse_missing_damaged_and_misplaced_nodes() {
    let mut disk = Disk::default();
    let root = disk.apply(Root::default(), &members(100));
    let hash = root.0.unwrap();
    let bytes = disk.nodes[&hash].to_vec();

    let mut machine = List::all(root);
    assert_eq!(machine.wanted(), [hash]);
    let nothing: Vec<(NodeHash, Vec<u8>)> = Vec::new();
    assert_eq!(machine.supply(nothing), Err(TrieError::Missing(hash)));
    assert_eq!(List::all(root).finish(), Err(TrieError::Unfinished));

    let mut damaged = bytes.clone();
    damaged[5] ^= 1;
    let found = NodeHash::of(&damaged);
    let wanted = hash;
    assert_eq!(
        List::all(root).supply(vec![(hash, damaged)]),
        Err(TrieError::WrongHash { wanted, found })
    );

    let mut machine = List::all(root);
    machine.supply(vec![(hash, bytes)]).unwrap();
    let child = machine.wanted()[0];
    let mut machine = List::all(Root(Some(child)));
    let child_bytes = Arc::clone(&disk.nodes[&child]);
    assert_eq!(
        machine.supply(vec![(child, child_bytes)]),
        Err(TrieError::WrongPlace(child))
    );
}

#[test]
fn event_types_out_of_range_are_refused() {
    for event_type in [-1, 1 << 28, i64::MAX, i64::MIN] {
        let refused = TrieError::TypeOutOfRange(event_type);
        let key = key(event_type, 0);
        let root = Root::default();
        assert_eq!(Lookup::new(root, &[key]).unwrap_err(), refused);
        assert_eq!(Apply::new(root, vec![(key, None)]).unwrap_err(), refused);
        assert_eq!(List::of_type(root, event_type).unwrap_err(), refused);
        assert_eq!(List::without_type(root, event_type).unwrap_err(), refused);
    }
}

#[test]
fn roots_are_no_bytes_or_sixteen() {
    let root = Root(Some(NodeHash([7; 16])));
    assert_eq!(Root::from_bytes(&root.to_bytes()), Ok(root));
    assert_eq!(Root::from_bytes(&[]), Ok(Root(None)));
    assert!(Root(None).to_bytes().is_empty());
    assert_eq!(Root::from_bytes(&[7; 15]), Err(TrieError::RootLength(15)));
}

#[test]
fn the_last_change_of_a_key_counts() {
    let mut disk = Disk::default();
    let create = key(TYPE_CREATE, 1);
    let root = disk.apply(Root::default(), &[(create, Some(1)), (create, None)]);
    assert_eq!(root, Root(None));
    let root = disk.apply(
        root,
        &[(create, None), (create, Some(1)), (create, Some(2))],
    );
    assert_eq!(disk.list(root), Map::from([(create, 2)]));
}

#[test]
fn changes_without_effect_write_nothing() {
    let mut disk = Disk::default();
    let root = disk.apply(Root::default(), &members(1_000));
    disk.reset();
    let changes = [
        (member(5), Some(value_of(5))),
        (member(1_005), None),
        (key(TYPE_TOPIC, 1), None),
    ];
    assert_eq!(disk.apply(root, &changes), root);
    assert_eq!(disk.writes, 0);
}

#[test]
fn well_known_types_have_a_slot_of_the_root_each() {
    for (number, name) in WELL_KNOWN_TYPES {
        let path = Path::of_type(*number).unwrap();
        assert_eq!(i64::from(path.nibble(0)), *number, "{name}");
        assert_eq!(path.first(1), path);
    }
    assert_eq!(Path::of_type(16).unwrap().nibble(0), 0);
}

/// Interned numbers grow with the server: a room's members are strewn over them.
fn member(number: i64) -> StateKey {
    key(TYPE_MEMBER, 1_000 + 37 * number)
}

fn value_of(number: i64) -> i64 {
    50_000_000 + 5 * number
}

/// The state of a room with so many members and the usual other state.
fn members(count: i64) -> Changes {
    let mut changes: Changes = (0..count)
        .map(|number| (member(number), Some(value_of(number))))
        .collect();
    for event_type in 1..=15 {
        if event_type != TYPE_MEMBER {
            changes.push((key(event_type, 3), Some(value_of(event_type))));
        }
    }
    changes.push((key(400, 900), Some(3)));
    changes
}

/// A fixed sequence that looks random, so that counts are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: i64) -> i64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        i64::try_from((self.0 >> 33) % u64::try_from(end).unwrap()).unwrap()
    }
}

/// `count` different members of a room of `size`: half replaced, a quarter added, a quarter removed.
fn random_changes(numbers: &mut Numbers, size: i64, count: usize) -> Changes {
    let mut changes = BTreeMap::new();
    while changes.len() < count {
        let value = Some(numbers.below(1_000_000));
        let (number, value) = match numbers.below(4) {
            0 => (size + numbers.below(size), value),
            1 => (numbers.below(size), None),
            _ => (numbers.below(size), value),
        };
        changes.insert(member(number), value);
    }
    changes.into_iter().collect()
}

#[test]
fn differences_read_what_differs() {
    let mut numbers = Numbers(1);
    for size in [1_000, 100_000] {
        let mut disk = Disk::default();
        let base = disk.apply(Root::default(), &members(size));
        let mut most = 0;
        for count in [1, 1, 1, 1, 2, 3, 4, 8, 16, 32, 64] {
            let root = disk.apply(base, &random_changes(&mut numbers, size, count));
            for (before, after) in [(base, root), (root, base)] {
                disk.reset();
                let found = disk.run(Difference::new(before, after));
                assert_eq!(found.len(), count);
                assert!(
                    disk.reads <= 12 * count,
                    "{} nodes for {count} of {size}",
                    disk.reads
                );
                assert!(disk.rounds <= 7, "{} rounds", disk.rounds);
                most = most.max(disk.reads / count);
            }
        }
        assert!(most > 0);
        disk.reset();
        disk.run(Difference::new(base, base));
        assert_eq!(disk.reads, 0);
    }
}

#[test]
fn one_event_reads_and_writes_one_path() {
    let mut numbers = Numbers(2);
    for size in [10, 1_000, 100_000] {
        let mut disk = Disk::default();
        let base = disk.apply(Root::default(), &members(size));
        for _ in 0..20 {
            disk.reset();
            let joined = member(size + numbers.below(size));
            let root = disk.apply(base, &[(joined, Some(77))]);
            assert!(disk.reads <= 8, "{} reads of {size}", disk.reads);
            assert!(disk.writes <= 8, "{} writes of {size}", disk.writes);
            let bytes = disk.bytes_written;
            assert!(bytes <= 1_500, "{bytes} bytes of {size}");
            disk.reset();
            let found = disk.run(Lookup::new(root, &[joined]).unwrap());
            assert_eq!(found, [Some(77)]);
            assert!(disk.reads <= 8, "{} reads of {size}", disk.reads);
        }
    }
}

#[test]
fn one_type_is_listed_without_the_members() {
    let mut disk = Disk::default();
    let root = disk.apply(Root::default(), &members(10_000));
    disk.reset();
    let listed = disk.run(List::of_type(root, TYPE_CREATE).unwrap());
    assert_eq!(listed.len(), 1);
    assert_eq!(disk.reads, 1);
    let others = disk.run(List::without_type(root, TYPE_MEMBER).unwrap());
    assert_eq!(others.len(), 15);
    assert!(
        disk.reads <= 3,
        "the root once more, and what is beside the members: {}",
        disk.reads
    );
    let listed = disk.run(List::of_type(root, TYPE_MEMBER).unwrap());
    assert_eq!(listed.len(), 10_000);
}

#[test]
fn machines_together_load_what_they_share_once() {
    let mut disk = Disk::default();
    let mut roots = vec![disk.apply(Root(None), &members(1_000))];
    for number in 0..20 {
        let change = (member(2_000 + number), Some(1));
        roots.push(disk.apply(roots[roots.len() - 1], &[change]));
    }
    let keys = [member(7), key(TYPE_TOPIC, 16)];
    let lookup = |root: &Root| Lookup::new(*root, &keys).unwrap();
    disk.reset();
    let mut alone = Vec::new();
    for root in &roots {
        alone.push(disk.run(lookup(root)));
    }
    let (reads_alone, rounds_alone) = (disk.reads, disk.rounds);
    disk.reset();
    let together = disk.run(Together::new(roots.iter().map(lookup).collect()));
    assert_eq!(together, alone);
    assert!(disk.reads < reads_alone, "{} of {reads_alone}", disk.reads);
    assert_eq!(disk.rounds * roots.len(), rounds_alone);
    disk.reset();
    let same = disk.run(Together::new(vec![lookup(&roots[0]); 100]));
    assert_eq!(disk.reads * roots.len(), reads_alone, "as one of them");
    assert_eq!(same.len(), 100);
}
