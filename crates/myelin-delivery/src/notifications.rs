//! Counts what users are to be notified of: a follower of the log.
//!
//! One node at a time counts, by lease. It asks the push rules about each event once for every set
//! of rules that members of the room have in common, and once more for whom the event names. What
//! most are notified of is one row, however many they are. Who sends waits for none of this, and
//! who asks looks at the few newest events by themselves, with the same rules. What was noted long ago
//! and is of no use any more it deletes.

mod ask;
mod batch;
mod follower;
mod ignored;
mod members;
mod notes;
mod purge;
mod redaction;
mod room_state;
mod rule_sets;

use std::{pin::Pin, sync::Arc};

use myelin_rooms::Rooms;
use myelin_store::{
    Store, StoreResult,
    followers::{self, Duty, Lease},
};
use tokio::sync::watch;

use follower::Follower;

/// Counts notifications.
#[derive(Clone)]
pub struct Notifications {
    rooms: Rooms,
    progress: Arc<Progress>,
}

/// How far this node has come.
#[derive(Debug, Default)]
struct Progress {
    /// Up to which position of the log it has counted.
    passed: watch::Sender<i64>,
    /// When it began the last round of deleting what is of no use any more that it has finished.
    purged_ms: watch::Sender<i64>,
}

impl Notifications {
    /// Over the rooms of a node.
    pub fn new(rooms: &Rooms) -> Self {
        Self {
            rooms: rooms.clone(),
            progress: Arc::default(),
        }
    }

    /// Up to which position of the log this node has counted and written what it found: 0 for one
    /// that never did.
    pub fn passed(&self) -> i64 {
        *self.progress.passed.borrow()
    }

    /// When this node began to look for what is of no use any more, the last time that it came to
    /// an end with it: 0 for one that never did.
    pub fn purged_ms(&self) -> i64 {
        *self.progress.purged_ms.borrow()
    }

    /// Counts until `stop` returns, whenever no other node does.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        followers::run(&self, stop).await;
    }
}

impl Duty for Notifications {
    /// The follower whose cursor says how far everything is counted.
    const FOLLOWER: &'static str = "notifications";
    const NAME: &'static str = "counting notifications";

    fn store(&self) -> &Store {
        self.rooms.store()
    }

    fn now_ms(&self) -> i64 {
        self.rooms.server().now_ms().cast_signed()
    }

    async fn work(
        &self,
        lease: &mut Lease,
        stop: Pin<&mut (impl Future<Output = ()> + Send)>,
    ) -> StoreResult<()> {
        let mut follower = Follower::new(self.rooms.clone(), lease.clone()).await?;
        let result = follower.work(stop, &self.progress).await;
        *lease = follower.into_lease();
        result
    }
}
