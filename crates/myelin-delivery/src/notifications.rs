//! Counts what users are to be notified of: a follower of the log.
//!
//! One node at a time counts, by lease. It asks the push rules about each event once for every set
//! of rules that members of the room have in common, and once more for whom the event names. What
//! most are notified of is one row, however many they are. Who sends waits for none of this, and
//! who syncs counts the few newest events by themselves, with the same rules.

mod ask;
mod batch;
mod follower;
mod members;
mod notes;
mod redaction;
mod room_state;
mod rule_sets;

use std::{pin::pin, sync::Arc, time::Duration};

use myelin_rooms::Rooms;
use myelin_store::{
    StoreResult,
    followers::{self, Lease},
};
use tokio::{sync::watch, time::sleep};

use crate::report::report;
use follower::Follower;

/// The follower whose cursor says how far everything is counted.
const FOLLOWER: &str = "notifications";
/// How often a node that does not count looks whether it has to.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Counts notifications.
#[derive(Clone)]
pub struct Notifications {
    rooms: Rooms,
    /// Up to which position of the log this node has counted.
    passed: Arc<watch::Sender<i64>>,
}

impl Notifications {
    /// Over the rooms of a node.
    pub fn new(rooms: &Rooms) -> Self {
        Self {
            rooms: rooms.clone(),
            passed: Arc::default(),
        }
    }

    /// Up to which position of the log this node has counted and written what it found: 0 for one
    /// that never did.
    pub fn passed(&self) -> i64 {
        *self.passed.borrow()
    }

    /// Counts until `stop` returns, whenever no other node does.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let mut holder = None;
        loop {
            let pause = tokio::select! {
                biased;
                lease = self.claim(&mut holder) => match lease {
                    Ok(Some(lease)) => match self.count(lease, stop.as_mut()).await {
                        Ok(()) => return,
                        Err(error) => report("counting notifications", &error),
                    },
                    Ok(None) => LOOK_EVERY,
                    Err(error) => report("counting notifications", &error),
                },
                () = &mut stop => return,
            };
            tokio::select! {
                biased;
                () = &mut stop => return,
                () = sleep(pause) => {}
            }
        }
    }

    async fn claim(&self, holder: &mut Option<i64>) -> StoreResult<Option<Lease>> {
        let now_ms = self.rooms.server().now_ms().cast_signed();
        followers::claim_for_run(self.rooms.store(), FOLLOWER, holder, now_ms).await
    }

    /// Counts while the lease is held; returns once `stop` has, or with what went wrong.
    async fn count(&self, lease: Lease, stop: impl Future<Output = ()>) -> StoreResult<()> {
        let mut follower = Follower::new(self.rooms.clone(), lease).await?;
        let result = follower.work(stop, &self.passed).await;
        // If it was lost, another has it already.
        if let Err(error) = followers::release(self.rooms.store(), follower.into_lease()).await {
            report("counting notifications", &error);
        }
        result
    }
}
