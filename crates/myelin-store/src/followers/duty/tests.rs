use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

use tokio::sync::{Mutex, oneshot};

use super::*;
use crate::{WriteSet, followers::advance, test_stores};

/// Counts how often it was begun. Fails the first time, and hands out its lease the second.
struct Counting {
    store: Store,
    now_ms: AtomicI64,
    begun: AtomicI64,
    lease: Mutex<Option<oneshot::Sender<Lease>>>,
}

impl Counting {
    fn new(store: &Store) -> (Self, oneshot::Receiver<Lease>) {
        let (sender, receiver) = oneshot::channel();
        let duty = Self {
            store: store.clone(),
            now_ms: AtomicI64::new(1_000),
            begun: AtomicI64::new(0),
            lease: Mutex::new(Some(sender)),
        };
        (duty, receiver)
    }
}

impl Duty for Counting {
    const FOLLOWER: &'static str = "counting";
    const NAME: &'static str = "counting";

    fn store(&self) -> &Store {
        &self.store
    }

    fn now_ms(&self) -> i64 {
        self.now_ms.load(SeqCst)
    }

    async fn work(
        &self,
        lease: &mut Lease,
        stop: Pin<&mut (impl Future<Output = ()> + Send)>,
    ) -> StoreResult<()> {
        let mut writes = WriteSet::new();
        let advanced = advance(&mut writes, lease, lease.cursor() + 1);
        self.store.commit(writes).await?;
        *lease = advanced;
        if self.begun.fetch_add(1, SeqCst) == 0 {
            return Err(StoreError::Conflict);
        }
        if let Some(hand_out) = self.lease.lock().await.take() {
            hand_out.send(lease.clone()).unwrap();
        }
        stop.await;
        Ok(())
    }
}

#[tokio::test]
async fn a_duty_that_failed_begins_anew_and_ends_with_its_lease_free() {
    for nodes in test_stores::both().await {
        let (duty, lease) = Counting::new(&nodes.one);
        let (stop, stopped) = oneshot::channel::<()>();
        let working = run(&duty, async { stopped.await.unwrap() });
        let watching = async {
            let lease = lease.await.unwrap();
            // The lease of the first time was given back, or this run would wait for its end.
            assert_eq!(lease.cursor(), 2);
            let (other, _lease) = Counting::new(&nodes.two);
            let claimed = claim(&other.store, Counting::FOLLOWER, 77, 1_000, 500);
            assert_eq!(claimed.await.unwrap(), None);
            stop.send(()).unwrap();
        };
        tokio::join!(working, watching);
        let claimed = claim(&nodes.two, Counting::FOLLOWER, 77, 1_000, 500).await;
        assert_eq!(claimed.unwrap().unwrap().cursor(), 2);
        nodes.close().await;
    }
}

#[tokio::test]
async fn one_run_has_a_duty_for_as_long_as_it_works() {
    for nodes in test_stores::both().await {
        let (one, _lease) = Counting::new(&nodes.one);
        let (two, _lease) = Counting::new(&nodes.two);
        let (mut first, mut second) = (None, None);
        let lease = claim_for_run(&one, &mut first).await.unwrap().unwrap();
        assert!(first.is_some());
        assert!(lease.until_ms() >= 1_000 + LEASE_MS);
        let other = claim_for_run(&two, &mut second).await.unwrap();
        // What shares a file with nobody takes over from a run that was killed.
        assert_eq!(other.is_none(), nodes.two.is_shared());
        assert_ne!(first, second);
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_lease_is_renewed_before_it_runs_out() {
    for nodes in test_stores::both().await {
        let (duty, _lease) = Counting::new(&nodes.one);
        let mut lease = claim_for_run(&duty, &mut None).await.unwrap().unwrap();
        let first = lease.clone();
        lease.keep(&nodes.one, 1_000).await.unwrap();
        assert_eq!(lease, first);
        let late_ms = 1_000 + LEASE_MS - RENEW_MS + 1;
        lease.keep(&nodes.one, late_ms).await.unwrap();
        assert_eq!(lease != first, nodes.one.is_shared());
        // Whoever still has the old one has lost it.
        let lost = first.clone().keep(&nodes.two, late_ms).await;
        assert_eq!(lost.is_err(), nodes.two.is_shared());
        nodes.close().await;
    }
}
