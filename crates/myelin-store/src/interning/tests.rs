use myelin_core::trie::WELL_KNOWN_TYPES;
use tokio::task::JoinSet;

use super::*;
use crate::test_stores;

#[tokio::test]
async fn the_usual_types_have_fixed_ids() {
    for nodes in test_stores::both().await {
        let store = &nodes.one;
        let names: Vec<&[u8]> = WELL_KNOWN_TYPES
            .iter()
            .map(|(_, name)| name.as_bytes())
            .collect();
        let ids = store.intern(&names).await.unwrap();
        let expected: Vec<i64> = WELL_KNOWN_TYPES.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, expected);
        assert_eq!(store.intern(&[b""]).await.unwrap(), [16]);
        let first = store.intern(&[b"m.room.message"]).await.unwrap();
        assert!(first[0] > 16);
        nodes.close().await;
    }
}

/// Interns the same strings as everybody else, beginning elsewhere.
async fn intern_rotated(store: Store, by: usize) -> BTreeMap<String, i64> {
    let mut strings: Vec<String> = (0..40).map(|i| format!("@{i}:a")).collect();
    strings.rotate_left(by);
    let list: Vec<&[u8]> = strings.iter().map(String::as_bytes).collect();
    let ids = store.intern(&list).await.unwrap();
    strings.into_iter().zip(ids).collect()
}

#[tokio::test]
async fn two_nodes_give_the_same_strings_the_same_ids() {
    for nodes in test_stores::both().await {
        let mut tasks = JoinSet::new();
        for n in 0..12 {
            tasks.spawn(intern_rotated(nodes.by_turns(n).clone(), n));
        }
        let answers = tasks.join_all().await;
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        nodes.close().await;
    }
}

#[tokio::test]
async fn any_bytes_come_back_in_the_order_asked_for() {
    for nodes in test_stores::both().await {
        let strings: [&[u8]; 5] = [b"b", b"\0", b"b", b"\xff\xfe", b""];
        let ids = nodes.one.intern(&strings).await.unwrap();
        assert_eq!(ids[0], ids[2]);
        assert_eq!(nodes.one.interned(&ids).await.unwrap(), strings);
        assert_eq!(nodes.two.interned(&ids).await.unwrap(), strings);
        assert_eq!(nodes.two.find_interned(b"\0").await.unwrap(), Some(ids[1]));
        nodes.close().await;
    }
}

#[tokio::test]
async fn finding_allocates_nothing() {
    for nodes in test_stores::both().await {
        let store = &nodes.one;
        let before = store.counts().batches;
        assert_eq!(store.find_interned(b"nobody").await.unwrap(), None);
        let long = vec![b'x'; STRING_BYTES_MAX + 1];
        assert_eq!(store.find_interned(&long).await.unwrap(), None);
        assert_eq!(store.counts().batches, before);
        let error = store.interned(&[1, 999_999]).await.unwrap_err();
        assert!(matches!(error, StoreError::Missing { table: "interned" }));
        nodes.close().await;
    }
}

#[tokio::test]
async fn what_is_cached_costs_no_statement() {
    for nodes in test_stores::both().await {
        let store = &nodes.one;
        let ids = store.intern(&[b"one", b"two"]).await.unwrap();
        let before = store.counts();
        assert_eq!(
            store.intern(&[b"two", b"one"]).await.unwrap(),
            [ids[1], ids[0]]
        );
        assert_eq!(store.find_interned(b"one").await.unwrap(), Some(ids[0]));
        store.interned(&ids).await.unwrap();
        assert_eq!(store.counts(), before);
        nodes.close().await;
    }
}

#[tokio::test]
async fn too_long_a_string_is_refused_and_a_long_one_is_not() {
    for nodes in test_stores::both().await {
        let store = &nodes.one;
        // Not compressible: PostgreSQL would fit any number of equal bytes into its index.
        let long: Vec<u8> = (0_u32..)
            .map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3])
            .take(STRING_BYTES_MAX)
            .collect();
        store.intern(&[&long]).await.unwrap();
        let longer = [&long[..], b"x"].concat();
        let error = store.intern(&[&longer]).await.unwrap_err();
        assert!(matches!(error, StoreError::Malformed { .. }));
        nodes.close().await;
    }
}

#[tokio::test]
async fn many_strings_are_interned_in_slices() {
    for nodes in test_stores::both().await {
        let strings: Vec<String> = (0..2_500).map(|n| format!("string {n}")).collect();
        let list: Vec<&[u8]> = strings.iter().map(String::as_bytes).collect();
        let ids = nodes.one.intern(&list).await.unwrap();
        assert_eq!(nodes.two.interned(&ids).await.unwrap(), list);
        nodes.close().await;
    }
}

#[tokio::test]
async fn many_strings_are_found_at_once() {
    for nodes in test_stores::both().await {
        let ids = nodes.one.intern(&[b"@a:a", b"@b:a"]).await.unwrap();
        let long = vec![b'x'; 3_000];
        let wanted: [&[u8]; 5] = [b"@b:a", b"unknown", &long, b"@a:a", b"@b:a"];
        // A node that has heard of none, then one that has.
        for _ in 0..2 {
            let found = nodes.two.find_all_interned(&wanted).await.unwrap();
            let expected = [Some(ids[1]), None, None, Some(ids[0]), Some(ids[1])];
            assert_eq!(found, expected);
        }
        nodes.close().await;
    }
}
