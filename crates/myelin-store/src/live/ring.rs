//! A bounded queue of the newest log entries.

use std::collections::VecDeque;

use crate::LogEntry;

/// Every entry after `reach` up to `position`, oldest first. Positions without an entry are those
/// whose entry has moved on to a later position.
pub(super) struct Ring {
    entries: VecDeque<LogEntry>,
    capacity: usize,
    reach: i64,
    position: i64,
}

impl Ring {
    pub(super) fn new(capacity: usize, position: i64) -> Self {
        Self {
            entries: VecDeque::new(),
            capacity,
            reach: position,
            position,
        }
    }

    pub(super) fn position(&self) -> i64 {
        self.position
    }

    /// Takes in all entries up to `position`; those it has already are skipped.
    pub(super) fn append(&mut self, entries: Vec<LogEntry>, position: i64) {
        for entry in entries {
            if entry.pos <= self.position {
                continue;
            }
            if self.entries.len() == self.capacity
                && let Some(oldest) = self.entries.pop_front()
            {
                self.reach = oldest.pos;
            }
            self.position = entry.pos;
            self.entries.push_back(entry);
        }
        self.position = self.position.max(position);
    }

    /// Forgets everything and goes on from `position`.
    pub(super) fn restart(&mut self, position: i64) {
        self.entries.clear();
        self.reach = position;
        self.position = position;
    }

    /// The entries after `pos`; None if they are no longer all here.
    pub(super) fn since(&self, pos: i64) -> Option<impl Iterator<Item = &LogEntry>> {
        if pos < self.reach {
            return None;
        }
        let start = self.entries.partition_point(|entry| entry.pos <= pos);
        Some(self.entries.range(start..))
    }
}
