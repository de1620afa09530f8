//! Who waits for which subjects.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// The watches of each subject. Ordered maps: the order of waking must not depend on a random seed.
#[derive(Default)]
pub(super) struct Registry {
    last_id: AtomicU64,
    subjects: Mutex<BTreeMap<i64, BTreeMap<u64, Arc<Notify>>>>,
}

impl Registry {
    pub(super) fn wake(&self, subjects: &[i64]) {
        let registered = self.subjects.lock();
        for watch in subjects
            .iter()
            .filter_map(|subject| registered.get(subject))
            .flat_map(BTreeMap::values)
        {
            watch.notify_one();
        }
    }

    pub(super) fn wake_all(&self) {
        for watch in self.subjects.lock().values().flat_map(BTreeMap::values) {
            watch.notify_one();
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.subjects.lock().len()
    }
}

/// Waits for entries of some subjects. Dropping it unregisters it.
///
/// Nothing is missed by whoever adds the subjects first, then looks at the log, then waits: an
/// entry that is applied between the look and the wait ends the wait at once.
pub struct Watch {
    registry: Arc<Registry>,
    id: u64,
    /// Holds at most one permit, and keeps it until somebody waits.
    notify: Arc<Notify>,
    subjects: Mutex<std::collections::BTreeSet<i64>>,
}

impl Watch {
    pub(super) fn new(registry: Arc<Registry>) -> Self {
        let id = registry.last_id.fetch_add(1, Relaxed);
        Self {
            registry,
            id,
            notify: Arc::default(),
            subjects: Mutex::default(),
        }
    }

    /// Waits for this subject, too.
    pub fn add(&self, subject: i64) {
        if self.subjects.lock().insert(subject) {
            let mut registered = self.registry.subjects.lock();
            let watches = registered.entry(subject).or_default();
            watches.insert(self.id, Arc::clone(&self.notify));
        }
    }

    /// No longer waits for this subject.
    pub fn remove(&self, subject: i64) {
        if self.subjects.lock().remove(&subject) {
            self.unregister(subject);
        }
    }

    /// Returns when an entry with one of the subjects was applied since the last return, or since
    /// the subject was added. It may also return without one. Dropping the future loses nothing.
    /// One task at a time may wait.
    pub async fn changed(&self) {
        self.notify.notified().await;
    }

    fn unregister(&self, subject: i64) {
        let mut registered = self.registry.subjects.lock();
        if let Some(watches) = registered.get_mut(&subject) {
            watches.remove(&self.id);
            if watches.is_empty() {
                registered.remove(&subject);
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for subject in std::mem::take(self.subjects.get_mut()) {
            self.unregister(subject);
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Watch")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
