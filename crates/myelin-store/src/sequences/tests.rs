use std::collections::BTreeSet;

use tokio::task::JoinSet;

use super::*;
use crate::test_stores;

async fn many(store: Store) -> Vec<i64> {
    store.next_numbers(Sequence::Event, 300).await.unwrap()
}

#[tokio::test]
async fn no_number_is_given_twice() {
    for nodes in test_stores::both().await {
        let mut tasks = JoinSet::new();
        for n in 0..20 {
            tasks.spawn(many(nodes.by_turns(n).clone()));
        }
        let answers = tasks.join_all().await;
        assert!(answers.iter().all(|numbers| numbers.is_sorted()));
        let numbers = answers.concat();
        let distinct: BTreeSet<i64> = numbers.iter().copied().collect();
        assert_eq!(numbers.len(), 6_000);
        assert_eq!(distinct.len(), 6_000);
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_block_is_leased_by_one_commit() {
    for nodes in test_stores::both().await {
        let store = &nodes.one;
        let before = store.counts().batches;
        for _ in 0..1_024 {
            store.next_numbers(Sequence::Event, 1).await.unwrap();
        }
        assert_eq!(store.counts().batches - before, 1);
        let many = store.next_numbers(Sequence::Event, 5_000).await.unwrap();
        assert_eq!(many.len(), 5_000);
        assert_eq!(store.counts().batches - before, 2);
        nodes.close().await;
    }
}

#[tokio::test]
async fn sequences_are_apart_and_begin_behind_what_is_reserved() {
    for nodes in test_stores::both().await {
        let store = &nodes.one;
        let events = store.next_numbers(Sequence::Event, 2).await.unwrap();
        assert_eq!(events, [1, 2]);
        let strings = store.next_numbers(Sequence::Interned, 1).await.unwrap();
        assert_eq!(strings, [17]);
        assert!(
            store
                .next_numbers(Sequence::Event, 0)
                .await
                .unwrap()
                .is_empty()
        );
        nodes.close().await;
    }
}
