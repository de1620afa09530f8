//! What becomes of a follower's failures.

use std::{error::Error, time::Duration};

use myelin_store::StoreError;

/// The pause after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// Notes what went wrong with some work; returns how long to wait.
pub(crate) fn report(work: &str, error: &StoreError) -> Duration {
    match error {
        // The lease is lost, or an operator has changed a row: it begins again.
        StoreError::Conflict => tracing::debug!("{work} starts over"),
        error => tracing::warn!(error = error as &dyn Error, "{work} must wait"),
    }
    PAUSE
}
