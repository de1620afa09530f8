use bytes::Bytes;

use super::*;
use crate::{LogKind, LogWrite, test_stores};

const NAME: &str = "push";

fn effect() -> LogWrite {
    LogWrite {
        kind: LogKind::Event,
        subject: 20,
        reference: 1,
        data: Bytes::new(),
    }
}

async fn append(store: &Store, entries: usize) {
    for _ in 0..entries {
        let mut writes = WriteSet::new();
        writes.log(effect());
        store.commit(writes).await.unwrap();
    }
}

#[tokio::test]
async fn one_node_at_a_time_holds_the_lease() {
    for nodes in test_stores::both().await {
        let lease = claim(&nodes.one, NAME, 1, 1_000, 500)
            .await
            .unwrap()
            .unwrap();
        assert_eq!((lease.cursor(), lease.until_ms()), (0, 1_500));
        for (store, holder) in [(&nodes.two, 2), (&nodes.one, 1)] {
            assert_eq!(claim(store, NAME, holder, 1_499, 500).await.unwrap(), None);
        }
        let other = claim(&nodes.two, "mail", 2, 1_000, 500).await.unwrap();
        assert!(other.is_some());
        let later = claim(&nodes.two, NAME, 2, 1_500, 500)
            .await
            .unwrap()
            .unwrap();
        assert!(later.fence() > lease.fence());
        assert_eq!(renew(&nodes.one, &lease, 1_500, 500).await.unwrap(), None);
        assert!(!release(&nodes.one, lease).await.unwrap());
        assert!(release(&nodes.two, later).await.unwrap());
        let again = claim(&nodes.one, NAME, 1, 1_501, 500).await.unwrap();
        assert!(again.is_some());
        nodes.close().await;
    }
}

async fn try_claim(store: Store, n: usize) -> Option<Lease> {
    let holder = i64::try_from(n).unwrap();
    claim(&store, NAME, holder, 1, 9).await.unwrap()
}

#[tokio::test]
async fn of_all_who_claim_at_once_one_wins() {
    for nodes in test_stores::both().await {
        let mut tasks = tokio::task::JoinSet::new();
        for n in 1..=6 {
            tasks.spawn(try_claim(nodes.by_turns(n).clone(), n));
        }
        let won = tasks.join_all().await.into_iter().flatten().count();
        assert_eq!(won, 1);
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_renewed_lease_outlasts_its_first_end() {
    for nodes in test_stores::both().await {
        let lease = claim(&nodes.one, NAME, 1, 1_000, 500)
            .await
            .unwrap()
            .unwrap();
        let lease = renew(&nodes.one, &lease, 1_400, 500)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(lease.until_ms(), 1_900);
        assert_eq!(claim(&nodes.two, NAME, 2, 1_899, 500).await.unwrap(), None);
        nodes.close().await;
    }
}

#[tokio::test]
async fn effects_and_cursor_commit_together_or_fall() {
    for nodes in test_stores::both().await {
        append(&nodes.one, 3).await;
        let stale = claim(&nodes.one, NAME, 1, 1_000, 500)
            .await
            .unwrap()
            .unwrap();
        let lease = claim(&nodes.two, NAME, 2, 2_000, 500)
            .await
            .unwrap()
            .unwrap();

        let mut late = WriteSet::new();
        late.log(effect());
        advance(&mut late, &stale, 3);
        let error = nodes.one.commit(late).await.unwrap_err();
        assert!(matches!(error, StoreError::Conflict));
        let position = log::position(&mut nodes.one.read()).await.unwrap();
        assert_eq!(position, 3, "the stale holder's effect is not there");

        let mut writes = WriteSet::new();
        writes.log(effect());
        let lease = advance(&mut writes, &lease, 2);
        nodes.two.commit(writes).await.unwrap();
        assert_eq!(lease.cursor(), 2);
        assert!(release(&nodes.two, lease).await.unwrap());
        let next = claim(&nodes.one, NAME, 1, 2_001, 500)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(next.cursor(), 2, "where the other has stopped");
        nodes.close().await;
    }
}

#[tokio::test]
async fn sets_may_build_on_each_other_before_they_are_flushed() {
    for nodes in test_stores::both().await {
        let store = &nodes.one;
        append(store, 3).await;
        let mut lease = claim(store, NAME, 1, 0, 500).await.unwrap().unwrap();
        let mut submitted = Vec::new();
        for cursor in 1..=3 {
            let mut writes = WriteSet::new();
            lease = advance(&mut writes, &lease, cursor);
            submitted.push(store.submit(writes));
        }
        for submission in submitted {
            submission.await.unwrap();
        }
        assert!(release(store, lease).await.unwrap());
        nodes.close().await;
    }
}

#[tokio::test]
async fn work_comes_in_slices_and_ends_at_the_position() {
    for nodes in test_stores::both().await {
        let store = &nodes.two;
        append(&nodes.one, 5).await;
        let lease = claim(store, NAME, 1, 0, 500).await.unwrap().unwrap();
        let first = next(store, &lease, 3).await.unwrap();
        assert_eq!((first.entries.len(), first.cursor), (3, 3));
        let mut writes = WriteSet::new();
        let lease = advance(&mut writes, &lease, first.cursor);
        let second = next(store, &lease, 3).await.unwrap();
        assert_eq!((second.entries.len(), second.cursor), (2, 5));
        let lease = advance(&mut writes, &lease, second.cursor);
        let nothing = next(store, &lease, 3).await.unwrap();
        assert_eq!((nothing.entries.len(), nothing.cursor), (0, 5));
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_follower_may_start_late() {
    for nodes in test_stores::both().await {
        append(&nodes.one, 4).await;
        let mut writes = WriteSet::new();
        insert(&mut writes, NAME, 3);
        nodes.one.commit(writes).await.unwrap();
        let lease = claim(&nodes.two, NAME, 1, 0, 500).await.unwrap().unwrap();
        assert_eq!(lease.cursor(), 3);
        let work = next(&nodes.two, &lease, 9).await.unwrap();
        assert_eq!(work.entries.len(), 1);
        nodes.close().await;
    }
}

#[tokio::test]
async fn what_a_killed_run_held_can_be_freed() {
    for nodes in test_stores::both().await {
        let store = &nodes.one;
        free_held(store, "freed").await.unwrap();
        let held = claim(store, "freed", 1, 0, i64::MAX).await.unwrap();
        assert!(held.is_some());
        assert!(claim(store, "freed", 2, 0, 10).await.unwrap().is_none());
        free_held(store, "freed").await.unwrap();
        let lease = claim(store, "freed", 2, 0, 10).await.unwrap().unwrap();
        // Who held it before writes no more.
        let mut writes = WriteSet::new();
        advance(&mut writes, &held.unwrap(), 5);
        let refused = store.commit(writes).await;
        assert!(matches!(refused, Err(StoreError::Conflict)));
        let mut writes = WriteSet::new();
        let longer = advance(&mut writes, &lease.prolonged(99), 5);
        store.commit(writes).await.unwrap();
        assert_eq!((longer.until_ms(), longer.cursor()), (99, 5));
        nodes.close().await;
    }
}
