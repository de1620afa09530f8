//! Rows and counts, on both engines.

use super::*;
use crate::{Store, StoreError, log, test_stores};

async fn change(store: &Store, user: i64, rules: &str) -> i64 {
    let before = find(&mut store.read(), user).await.unwrap();
    let mut writes = WriteSet::new();
    let rules = Bytes::copy_from_slice(rules.as_bytes());
    put(&mut writes, user, before.as_ref(), rules);
    store.commit(writes).await.unwrap();
    store.live().catch_up().await.unwrap()
}

#[tokio::test]
async fn rules_are_read_as_they_were_written() {
    for nodes in test_stores::both().await {
        let mut read = nodes.two.read();
        assert_eq!(find(&mut read, 5).await.unwrap(), None);
        change(&nodes.one, 5, "a").await;
        change(&nodes.one, 5, "b").await;
        let found = find(&mut read, 5).await.unwrap().unwrap();
        assert_eq!((found.version, &found.rules[..]), (2, &b"b"[..]));
        assert_eq!(find(&mut read, 6).await.unwrap(), None);
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_change_on_the_ground_of_old_rules_falls() {
    for nodes in test_stores::both().await {
        change(&nodes.one, 5, "a").await;
        let stale = StoredRules {
            version: 7,
            rules: Bytes::new(),
        };
        for before in [None, Some(&stale)] {
            let mut writes = WriteSet::new();
            put(&mut writes, 5, before, Bytes::from_static(b"b"));
            let refused = nodes.one.commit(writes).await;
            assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
        }
        nodes.close().await;
    }
}

#[tokio::test]
async fn what_held_at_a_position_is_known_until_it_is_forgotten() {
    for nodes in test_stores::both().await {
        let start = nodes.one.live().catch_up().await.unwrap();
        let first = change(&nodes.one, 5, "a").await;
        let second = change(&nodes.one, 5, "b").await;
        change(&nodes.one, 6, "c").await;
        let mut read = nodes.two.read();
        let rules = |user: i64, rules: &'static str| (user, Bytes::from_static(rules.as_bytes()));
        let users = [5, 6, 7];
        let at = list_at(&mut read, &users, start).await.unwrap();
        assert_eq!(at, []);
        let at = list_at(&mut read, &users, first).await.unwrap();
        assert_eq!(at, [rules(5, "a")]);
        let at = list_at(&mut read, &users, second).await.unwrap();
        assert_eq!(at, [rules(5, "b")]);
        let at = list_at(&mut read, &users, i64::MAX).await.unwrap();
        assert_eq!(at, [rules(5, "b"), rules(6, "c")]);
        assert_eq!(list_at(&mut read, &[], start).await.unwrap(), []);
        let mut writes = WriteSet::new();
        delete_replaced(&mut writes, 5, 1);
        nodes.one.commit(writes).await.unwrap();
        let at = list_at(&mut read, &users, first).await.unwrap();
        assert_eq!(at, []);
        nodes.close().await;
    }
}

#[tokio::test]
async fn each_change_is_told_to_the_user() {
    for nodes in test_stores::both().await {
        let start = nodes.one.live().catch_up().await.unwrap();
        change(&nodes.one, 5, "a").await;
        let end = change(&nodes.one, 5, "b").await;
        let mut read = nodes.two.read();
        let entries = log::list_subject(&mut read, 5, (start, end), 10)
            .await
            .unwrap();
        let told: Vec<_> = entries
            .iter()
            .map(|entry| (entry.kind, entry.reference))
            .collect();
        assert_eq!(told, [(LogKind::PushRules, 0), (LogKind::PushRules, 1)]);
        nodes.close().await;
    }
}

#[tokio::test]
async fn who_is_gone_has_no_rules() {
    for nodes in test_stores::both().await {
        change(&nodes.one, 5, "a").await;
        change(&nodes.one, 5, "b").await;
        let mut writes = WriteSet::new();
        delete_of_user(&mut writes, 5);
        nodes.one.commit(writes).await.unwrap();
        let mut read = nodes.two.read();
        assert_eq!(find(&mut read, 5).await.unwrap(), None);
        assert_eq!(list_at(&mut read, &[5], 0).await.unwrap(), []);
        nodes.close().await;
    }
}
