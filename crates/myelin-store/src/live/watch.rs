//! Who waits for which subjects.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{
            AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// The watches of each subject. Ordered maps: the order of waking must not depend on a random seed.
#[derive(Default)]
pub(super) struct Registry {
    last_id: AtomicU64,
    subjects: Mutex<BTreeMap<i64, BTreeMap<u64, Arc<Signal>>>>,
}

/// Counts what happened to a watch's subjects, for any number of tasks that wait for more.
#[derive(Default)]
struct Signal {
    given: AtomicU64,
    notify: Notify,
}

impl Signal {
    fn give(&self) {
        self.given.fetch_add(1, Release);
        self.notify.notify_waiters();
    }
}

impl Registry {
    pub(super) fn wake(&self, subjects: &[i64]) {
        let registered = self.subjects.lock();
        for watch in subjects
            .iter()
            .filter_map(|subject| registered.get(subject))
            .flat_map(BTreeMap::values)
        {
            watch.give();
        }
    }

    pub(super) fn wake_all(&self) {
        for watch in self.subjects.lock().values().flat_map(BTreeMap::values) {
            watch.give();
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.subjects.lock().len()
    }
}

/// Waits for entries of some subjects. Dropping it unregisters it.
///
/// Nothing is missed by whoever adds the subjects, takes the [`Watch::mark`], looks at the log and
/// then waits: an entry that is applied after the mark ends the wait at once.
pub struct Watch {
    registry: Arc<Registry>,
    id: u64,
    signal: Arc<Signal>,
    /// The mark of [`Watch::changed`]'s last return.
    seen: AtomicU64,
    subjects: Mutex<std::collections::BTreeSet<i64>>,
}

impl Watch {
    pub(super) fn new(registry: Arc<Registry>) -> Self {
        let id = registry.last_id.fetch_add(1, Relaxed);
        Self {
            registry,
            id,
            signal: Arc::default(),
            seen: AtomicU64::new(0),
            subjects: Mutex::default(),
        }
    }

    /// Waits for this subject, too.
    pub fn add(&self, subject: i64) {
        if self.subjects.lock().insert(subject) {
            let mut registered = self.registry.subjects.lock();
            let watches = registered.entry(subject).or_default();
            watches.insert(self.id, Arc::clone(&self.signal));
        }
    }

    /// No longer waits for this subject.
    pub fn remove(&self, subject: i64) {
        if self.subjects.lock().remove(&subject) {
            self.unregister(subject);
        }
    }

    /// The moment to wait from. Several tasks may wait with one watch, each from its own mark.
    pub fn mark(&self) -> u64 {
        self.signal.given.load(Acquire)
    }

    /// Returns when an entry with one of the subjects was applied after the mark. It may also
    /// return without one. Dropping the future loses nothing.
    pub async fn changed_since(&self, mark: u64) {
        loop {
            let mut notified = std::pin::pin!(self.signal.notify.notified());
            // Listens from here on, so that what comes between the look and the wait is heard.
            notified.as_mut().enable();
            if self.mark() != mark {
                return;
            }
            notified.await;
        }
    }

    /// Returns when an entry with one of the subjects was applied since the last return. For one
    /// waiting task: of several, only one would see an entry.
    pub async fn changed(&self) {
        let seen = self.seen.load(Acquire);
        self.changed_since(seen).await;
        self.seen.store(self.mark(), Release);
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
