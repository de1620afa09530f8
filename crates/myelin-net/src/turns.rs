//! One at a time per key: who comes second finds what the first one has left.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// Turns that are taken or waited for.
pub(crate) struct Turns<K> {
    taken: Mutex<HashMap<K, Weak<AsyncMutex<()>>>>,
}

/// It is the holder's turn until this is dropped.
pub(crate) struct Turn {
    _guard: OwnedMutexGuard<()>,
}

impl<K: Hash + Eq> Turns<K> {
    pub(crate) fn new() -> Self {
        Self {
            taken: Mutex::new(HashMap::new()),
        }
    }

    /// Waits for the turn of a key.
    pub(crate) async fn take(&self, key: K) -> Turn {
        let turn = {
            let mut taken = self.taken.lock();
            // Those that nobody holds any more are few, for each request takes some away.
            if taken.len() > 64 {
                taken.retain(|_, turn| turn.strong_count() > 0);
            }
            let entry = taken.entry(key).or_default();
            entry.upgrade().unwrap_or_else(|| {
                let turn = Arc::new(AsyncMutex::new(()));
                *entry = Arc::downgrade(&turn);
                turn
            })
        };
        Turn {
            _guard: turn.lock_owned().await,
        }
    }
}
