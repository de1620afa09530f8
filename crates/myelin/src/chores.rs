//! What every node does from time to time while it serves.

use std::{error::Error, time::Duration};

use myelin_accounts::has_newer_key;
use myelin_http::App;
use myelin_rooms::Rooms;

const PERIOD: Duration = Duration::from_hours(1);

/// Runs until the shutdown begins. All of it is safe to be done by several nodes at once, and what
/// fails is tried again the next time.
pub(crate) async fn run(app: App, rooms: Rooms) {
    let shutdown = &app.shutdown;
    while !shutdown.has_begun() {
        match has_newer_key(&app.server, &app.store).await {
            Ok(false) => {}
            Ok(true) => tracing::warn!(
                "there is a newer signing key: this node must be started again to sign with it"
            ),
            Err(error) => tracing::warn!(
                error = &error as &dyn Error,
                "whether there is a newer signing key is not known"
            ),
        }
        if let Err(error) = rooms.delete_expired_originals().await {
            tracing::warn!(
                error = &error as &dyn Error,
                "what redacted events said was not deleted"
            );
        }
        if let Err(error) = rooms.delete_old_delayed_events().await {
            tracing::warn!(
                error = &error as &dyn Error,
                "what became of delayed events was not deleted"
            );
        }
        if let Err(error) = rooms.delete_expired_stickiness().await {
            tracing::warn!(
                error = &error as &dyn Error,
                "what made events sticky was not deleted"
            );
        }
        // Whether the time is over or the shutdown begins: the loop's condition tells.
        let _ = tokio::time::timeout(PERIOD, shutdown.begun()).await;
    }
}
