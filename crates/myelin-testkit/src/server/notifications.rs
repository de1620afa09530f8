//! Waiting for the follower that counts notifications.

use std::time::Duration;

use crate::{TestServer, wait_until};

/// Longer than what was read is kept.
const MONTH: Duration = Duration::from_hours(31 * 24);
/// More than the time after which a new follower begins to delete.
const MINUTE: Duration = Duration::from_secs(61);
/// Looks after which another minute passes: enough for who counts to look at the clock.
const LOOKS: u32 = 300;

impl TestServer {
    /// Waits until notifications are counted up to what has happened so far.
    pub async fn counted(&self) {
        let nodes = self.nodes.all();
        let mut position = 0;
        for node in nodes.iter() {
            let reached = node.app.store.live().catch_up().await;
            position = position.max(reached.expect("the log can be read"));
        }
        wait_until("notifications are counted", async || {
            let mut nodes = nodes.iter();
            nodes.any(|node| node.notifications.passed() >= position)
        })
        .await;
    }

    /// Counts no more notifications, until the server is started anew.
    pub async fn stop_counting(&self) {
        let nodes = self.nodes.all();
        for node in nodes.iter() {
            node.counting.abort();
        }
        wait_until("nobody counts notifications", async || {
            nodes.iter().all(|node| node.counting.is_finished())
        })
        .await;
    }

    /// Lets a month pass, and waits until what is of no use any more of the notifications before
    /// it is deleted.
    pub async fn notifications_purged(&self) {
        self.counted().await;
        let nodes = self.nodes.all();
        self.clock().advance(MONTH);
        let from_ms = i64::try_from(self.now_ms()).expect("it is not as late as that");
        let mut looks = 0_u32;
        wait_until("old notifications are deleted", async || {
            looks += 1;
            // If another node counts since the month has passed, it takes a minute to begin.
            if looks.is_multiple_of(LOOKS) {
                self.clock().advance(MINUTE);
            }
            let mut nodes = nodes.iter();
            nodes.any(|node| node.notifications.purged_ms() >= from_ms)
        })
        .await;
    }
}
