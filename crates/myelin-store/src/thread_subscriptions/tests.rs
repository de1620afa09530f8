//! Rows, on both engines.

use super::*;
use crate::{Store, log, test_stores};

const THREAD: Thread<'_> = (3, "$root");

async fn change(
    store: &Store,
    user: i64,
    thread: Thread<'_>,
    subscription: Option<Subscription>,
) -> i64 {
    let before = find(&mut store.read(), user, thread).await.unwrap();
    let after = Standing {
        subscription,
        ended_at: before.ended_at + 1,
        ..before
    };
    let mut writes = WriteSet::new();
    put(&mut writes, user, thread, (&before, &after));
    store.commit(writes).await.unwrap();
    store.live().catch_up().await.unwrap()
}

#[tokio::test]
async fn subscriptions_are_read_as_they_were_written() {
    for nodes in test_stores::both().await {
        let mut read = nodes.two.read();
        let none = find(&mut read, 5, THREAD).await.unwrap();
        assert_eq!(none, Standing::default());
        assert!(!has_any(&mut read, 5).await.unwrap());
        for (index, subscription) in [
            Some(Subscription::Automatic),
            Some(Subscription::Manual),
            None,
        ]
        .into_iter()
        .enumerate()
        {
            change(&nodes.one, 5, THREAD, subscription).await;
            let found = find(&mut read, 5, THREAD).await.unwrap();
            assert_eq!(found.subscription, subscription);
            assert_eq!(found.ended_at, i64::try_from(index).unwrap() + 1);
            assert!(has_any(&mut read, 5).await.unwrap());
        }
        assert!(!has_any(&mut read, 6).await.unwrap());
        for other in [(3, "$other"), (4, "$root")] {
            let found = find(&mut read, 5, other).await.unwrap();
            assert_eq!(found, Standing::default());
        }
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_change_on_the_ground_of_an_old_state_falls() {
    for nodes in test_stores::both().await {
        change(&nodes.one, 5, THREAD, Some(Subscription::Manual)).await;
        let stale = Standing {
            version: 7,
            ..Standing::default()
        };
        for before in [Standing::default(), stale] {
            let mut writes = WriteSet::new();
            put(&mut writes, 5, THREAD, (&before, &Standing::default()));
            let refused = nodes.one.commit(writes).await;
            assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
        }
        nodes.close().await;
    }
}

#[tokio::test]
async fn who_was_subscribed_at_a_position_is_known() {
    for nodes in test_stores::both().await {
        let start = nodes.one.live().catch_up().await.unwrap();
        let first = change(&nodes.one, 5, THREAD, Some(Subscription::Automatic)).await;
        // Other threads of the same user and room do not count.
        change(&nodes.one, 5, (3, "$root2"), None).await;
        let second = change(&nodes.one, 6, THREAD, Some(Subscription::Manual)).await;
        change(&nodes.one, 5, THREAD, None).await;
        let end = change(&nodes.one, 7, (4, "$root"), Some(Subscription::Manual)).await;
        let mut read = nodes.two.read();
        for (pos, wanted) in [
            (start, vec![]),
            (first, vec![5]),
            (second, vec![5, 6]),
            (end, vec![6]),
        ] {
            let found = list_subscribers_at(&mut read, THREAD, pos).await.unwrap();
            assert_eq!(found, wanted);
        }
        nodes.close().await;
    }
}

#[tokio::test]
async fn each_change_is_told_to_the_user() {
    for nodes in test_stores::both().await {
        let start = nodes.one.live().catch_up().await.unwrap();
        change(&nodes.one, 5, THREAD, Some(Subscription::Manual)).await;
        let end = change(&nodes.one, 5, THREAD, None).await;
        let mut read = nodes.two.read();
        let entries = log::list_subject(&mut read, 5, (start, end), 10).await;
        let told: Vec<_> = entries
            .unwrap()
            .into_iter()
            .map(|entry| (entry.kind, entry.reference, entry.data[0]))
            .collect();
        let kind = LogKind::ThreadSubscription;
        assert_eq!(told, [(kind, 3, 0), (kind, 3, 1)]);
        nodes.close().await;
    }
}

#[tokio::test]
async fn who_is_gone_has_no_subscriptions() {
    for nodes in test_stores::both().await {
        change(&nodes.one, 5, THREAD, Some(Subscription::Manual)).await;
        change(&nodes.one, 6, THREAD, Some(Subscription::Manual)).await;
        let mut writes = WriteSet::new();
        delete_of_user(&mut writes, 5);
        nodes.one.commit(writes).await.unwrap();
        let mut read = nodes.two.read();
        assert!(!has_any(&mut read, 5).await.unwrap());
        assert!(has_any(&mut read, 6).await.unwrap());
        nodes.close().await;
    }
}
