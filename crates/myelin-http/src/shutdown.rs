//! The signal that the process is about to end.

use std::sync::Arc;

use tokio::sync::watch;

/// Cheap to clone; all clones share one signal, which is given at most once.
#[derive(Clone, Debug)]
pub struct Shutdown {
    begun: Arc<watch::Sender<bool>>,
}

impl Shutdown {
    /// A signal that was not given yet.
    pub fn new() -> Self {
        Self {
            begun: Arc::new(watch::Sender::new(false)),
        }
    }

    /// Gives the signal.
    pub fn begin(&self) {
        self.begun.send_replace(true);
    }

    /// True once the signal was given.
    pub fn has_begun(&self) -> bool {
        *self.begun.borrow()
    }

    /// Returns when the signal is given; at once if it was given before. Cancel-safe.
    pub async fn begun(&self) {
        let mut receiver = self.begun.subscribe();
        // The sender lives in `self`, so the wait cannot end by its disappearance.
        let _ = receiver.wait_for(|begun| *begun).await;
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}
