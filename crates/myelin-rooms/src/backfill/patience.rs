//! Who fills which gap now, and where that was in vain.

use std::{collections::HashMap, sync::Arc};

use myelin_store::gaps::Gap;
use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// The pause after the first attempt in vain; it doubles with each.
const PAUSE_MS: i64 = 10_000;
/// The longest pause.
const PAUSE_MAX_MS: i64 = 600_000;
/// Gaps whose failures a node remembers; then it forgets them all, and asks again.
const REMEMBERED_MAX: usize = 10_000;

/// What a node knows of its attempts to fill gaps.
#[derive(Default)]
pub(crate) struct Backfills {
    rooms: Mutex<HashMap<i64, Arc<AsyncMutex<()>>>>,
    failed: Mutex<HashMap<(i64, i64), Failed>>,
}

/// Attempts in a row that brought nothing.
#[derive(Clone, Copy)]
struct Failed {
    count: u32,
    next_ms: i64,
}

impl Backfills {
    /// One attempt in a room at a time: the next finds what it has brought.
    pub(super) async fn lock(&self, room: i64) -> OwnedMutexGuard<()> {
        let lock = {
            let mut rooms = self.rooms.lock();
            rooms.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(rooms.entry(room).or_default())
        };
        lock.lock_owned().await
    }

    /// How many attempts in a row were in vain, if it is too early for the next.
    pub(super) fn must_wait(&self, gap: &Gap, now_ms: i64) -> Option<u32> {
        let failed = self.failed.lock();
        let failed = failed.get(&key(gap)).copied();
        failed
            .filter(|failed| now_ms < failed.next_ms)
            .map(|failed| failed.count)
    }

    /// How many attempts in a row were in vain.
    pub(super) fn failures(&self, gap: &Gap) -> u32 {
        let failed = self.failed.lock();
        failed.get(&key(gap)).map_or(0, |failed| failed.count)
    }

    /// Takes note of an attempt in vain, and says how many there were in a row.
    pub(super) fn note_failure(&self, gap: &Gap, now_ms: i64) -> u32 {
        let mut failed = self.failed.lock();
        if failed.len() >= REMEMBERED_MAX && !failed.contains_key(&key(gap)) {
            failed.clear();
        }
        let entry = failed.entry(key(gap)).or_insert(Failed {
            count: 0,
            next_ms: 0,
        });
        entry.count = entry.count.saturating_add(1);
        let doublings = (entry.count - 1).min(10);
        entry.next_ms = now_ms.saturating_add((PAUSE_MS << doublings).min(PAUSE_MAX_MS));
        entry.count
    }

    /// Something came of it.
    pub(super) fn forget(&self, gap: &Gap) {
        self.failed.lock().remove(&key(gap));
    }
}

fn key(gap: &Gap) -> (i64, i64) {
    (gap.room, gap.upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_until_something_comes() {
        let backfills = Backfills::default();
        let gap = Gap::new(1, (0, 9), Vec::new());
        assert_eq!(backfills.must_wait(&gap, 0), None);
        for (count, pause_ms) in [(1, 10_000), (2, 20_000), (3, 40_000)] {
            assert_eq!(backfills.note_failure(&gap, 5), count);
            assert_eq!(backfills.must_wait(&gap, 4 + pause_ms), Some(count));
            assert_eq!(backfills.must_wait(&gap, 5 + pause_ms), None);
        }
        for _ in 0..40 {
            backfills.note_failure(&gap, 5);
        }
        assert_eq!(backfills.must_wait(&gap, 5 + PAUSE_MAX_MS), None);
        let other = Gap::new(1, (0, 8), Vec::new());
        assert_eq!(backfills.must_wait(&other, 5), None);
        backfills.forget(&gap);
        assert_eq!(backfills.failures(&gap), 0);
    }
}
