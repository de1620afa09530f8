//! What every node does from time to time while it serves.

use std::{error::Error, time::Duration};

use myelin_http::Shutdown;
use myelin_rooms::Rooms;

const PERIOD: Duration = Duration::from_hours(1);

/// Runs until the shutdown begins. All of it is safe to be done by several nodes at once, and what
/// fails is tried again the next time.
pub(crate) async fn run(rooms: Rooms, shutdown: Shutdown) {
    while !shutdown.has_begun() {
        if let Err(error) = rooms.delete_expired_originals().await {
            tracing::warn!(
                error = &error as &dyn Error,
                "what redacted events said was not deleted"
            );
        }
        // Whether the time is over or the shutdown begins: the loop's condition tells.
        let _ = tokio::time::timeout(PERIOD, shutdown.begun()).await;
    }
}
