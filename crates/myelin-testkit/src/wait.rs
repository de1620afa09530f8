//! Waiting for a condition.

use std::time::{Duration, Instant};

/// Far more than anything takes on a busy machine, and less than the runner's own limit.
const WAIT_MAX: Duration = Duration::from_secs(20);
const INTERVAL: Duration = Duration::from_millis(5);

/// Waits until the condition holds, and fails the test if it does not within 20 seconds. It looks
/// at the condition again and again, so no change can be missed between two looks.
#[track_caller]
pub fn wait_until(
    what: &str,
    mut condition: impl AsyncFnMut() -> bool,
) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let started = Instant::now();
        while !condition().await {
            assert!(
                started.elapsed() < WAIT_MAX,
                "{caller}: waited in vain until {what}"
            );
            tokio::time::sleep(INTERVAL).await;
        }
    }
}
