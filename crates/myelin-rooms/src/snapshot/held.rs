//! How much of what other servers tell is in memory: of one state, and of all together.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::SnapshotError;

/// The most bytes of events that one snapshot may have: some 100,000 members.
const OF_ONE_MAX: usize = 512 * 1024 * 1024;
/// The same of all snapshots of a node that are being read or stored.
const OF_ALL_MAX: usize = 768 * 1024 * 1024;

/// The bytes of all snapshots of a node.
pub(crate) type AllHeld = Arc<AtomicUsize>;

/// The bytes of one snapshot; those of all are fewer when it is dropped.
pub(super) struct Held {
    all: AllHeld,
    bytes: usize,
}

impl Held {
    pub(super) fn nothing(all: &AllHeld) -> Self {
        Self {
            all: Arc::clone(all),
            bytes: 0,
        }
    }

    /// Makes room for more, or says that there is none.
    pub(super) fn add(&mut self, bytes: usize) -> Result<(), SnapshotError> {
        if self.bytes + bytes > OF_ONE_MAX {
            return Err(SnapshotError::TooLarge);
        }
        let before = self.all.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        if before + bytes > OF_ALL_MAX {
            return Err(SnapshotError::TooMuch);
        }
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_snapshots_together_have_a_limit() {
        let all = AllHeld::default();
        let mut one = Held::nothing(&all);
        one.add(OF_ONE_MAX).unwrap();
        assert!(matches!(one.add(1), Err(SnapshotError::TooLarge)));
        let mut other = Held::nothing(&all);
        other.add(OF_ALL_MAX - OF_ONE_MAX).unwrap();
        assert!(matches!(other.add(1), Err(SnapshotError::TooMuch)));
        drop(one);
        other.add(1).unwrap();
        drop(other);
        assert_eq!(all.load(Ordering::Relaxed), 0);
    }
}
