//! The newest part of the log, as this node knows it, and those who wait for more.
//!
//! Entries arrive in the order of their positions: from this node's committer, and where other
//! nodes write too, from the database ([`Live::catch_up`]). Whoever keeps mutable things in memory
//! catches up, applies [`Live::entries_since`] the position it was at, and is then as fresh as any
//! node. What travels between nodes without being logged, typing and presence, stands in
//! `passing.rs`.

mod notice;
mod passing;
mod presence;
mod ring;
mod typing;
pub(crate) mod wake_ups;
mod watch;

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicI32, AtomicU64, Ordering::SeqCst},
    },
};

use parking_lot::RwLock;
use tokio::sync::{Mutex, Notify, watch as position_channel};

use crate::{
    LogEntry, StoreResult, device_lists,
    engine::Engine,
    log::{self, Tail},
};
use passing::Passing;
use ring::Ring;
use watch::Registry;

pub(crate) use passing::TICK;
pub use passing::{NewPresence, PresencePoll, RemotePresence};
pub use presence::{Presence, PresenceNews, PresenceState};
pub use typing::TypingNews;
pub use watch::Watch;

/// Entries kept in memory: some megabytes, minutes of a busy cluster.
const RING_CAPACITY: usize = 65_536;

/// Most entries read at once. A node that has missed more starts over with an empty ring, and who
/// needs what it missed asks the database.
const GAP_MAX: i64 = 16_384;

/// Reads the tail of the log after a position.
type ReadTail =
    Box<dyn Fn(i64) -> Pin<Box<dyn Future<Output = StoreResult<Tail>> + Send>> + Send + Sync>;

/// The newest part of the log, and those who wait for more.
pub struct Live {
    ring: RwLock<Ring>,
    registry: Arc<Registry>,
    advanced: position_channel::Sender<i64>,
    passing: Passing,
    /// None where this process is the only one that writes: then everything passes [`Self::publish`].
    shared: Option<Shared>,
}

/// What it takes to follow a log that others write, too.
struct Shared {
    read_tail: ReadTail,
    /// Reads started so far. Read `n` serves whoever came before it started.
    started: AtomicU64,
    /// Held during a read, so that there is one at a time.
    turn: Mutex<Turn>,
    /// The log has entries that were not read yet, says a hint.
    behind: Notify,
    /// The positions that this node has committed and not announced yet.
    unannounced: parking_lot::Mutex<Option<(i64, i64)>>,
    announce: Notify,
    /// The server's process behind the connection that announces: what comes from it is our own.
    backend: AtomicI32,
}

/// The last read that came to its end.
struct Turn {
    number: u64,
    result: StoreResult<i64>,
}

impl Live {
    /// `position` is the counter at the time of opening.
    pub(crate) fn new(engine: Engine, position: i64) -> Self {
        if !engine.is_shared() {
            return Self::alone(position);
        }
        let read_tail: ReadTail = Box::new(move |after| {
            let mut read = engine.read_uncounted();
            Box::pin(async move { log::tail(&mut read, after, GAP_MAX).await })
        });
        Self::shared(position, read_tail)
    }

    /// For a database that only this process writes.
    fn alone(position: i64) -> Self {
        Self::with(position, None)
    }

    /// For a database that other nodes write, too.
    fn shared(position: i64, read_tail: ReadTail) -> Self {
        Self::with(
            position,
            Some(Shared {
                read_tail,
                started: AtomicU64::new(0),
                turn: Mutex::new(Turn {
                    number: 0,
                    result: Ok(position),
                }),
                behind: Notify::new(),
                unannounced: parking_lot::Mutex::new(None),
                announce: Notify::new(),
                backend: AtomicI32::new(0),
            }),
        )
    }

    fn with(position: i64, shared: Option<Shared>) -> Self {
        Self {
            ring: RwLock::new(Ring::new(RING_CAPACITY, position)),
            registry: Arc::new(Registry::default()),
            advanced: position_channel::Sender::new(position),
            passing: Passing::new(shared.is_some()),
            shared,
        }
    }

    /// Applies the log up to the counter's value at some moment after this call, and returns that
    /// position. Everything that anybody was told before this call lies below it. All who wait
    /// share one read; where this process alone writes the log nothing is read.
    pub async fn catch_up(&self) -> StoreResult<i64> {
        let Some(shared) = &self.shared else {
            return Ok(self.position());
        };
        let started = shared.started.load(SeqCst);
        let mut turn = shared.turn.lock().await;
        if turn.number <= started {
            let number = shared.started.fetch_add(1, SeqCst) + 1;
            let result = (shared.read_tail)(self.position())
                .await
                .map(|tail| self.apply(tail));
            *turn = Turn { number, result };
        }
        turn.result.clone()
    }

    /// The newest position applied here. Other nodes may be further.
    pub fn position(&self) -> i64 {
        self.ring.read().position()
    }

    /// The entries after `pos` that are `wanted`, oldest first. None: the ring no longer reaches
    /// back that far, and the caller must ask the database. `wanted` runs under the ring's lock
    /// and must not call back here.
    pub fn entries_since(
        &self,
        pos: i64,
        wanted: &mut dyn FnMut(&LogEntry) -> bool,
    ) -> Option<Vec<LogEntry>> {
        let ring = self.ring.read();
        let entries = ring.since(pos)?;
        Some(entries.filter(|entry| wanted(entry)).cloned().collect())
    }

    /// A watch without subjects yet. Add them, then look at the log, then wait.
    pub fn watch(&self) -> Watch {
        Watch::new(Arc::clone(&self.registry))
    }

    /// Waits until something after `pos` was applied here, whatever its subject; for followers.
    pub async fn beyond(&self, pos: i64) {
        let mut receiver = self.advanced.subscribe();
        let moved = receiver.wait_for(|position| *position > pos).await;
        debug_assert!(moved.is_ok(), "the sender lives in self");
    }

    /// Called by the committer after a commit and before its answers, with entries at `first` and
    /// the positions that follow without a gap. Batches come in the order of their positions.
    pub(crate) fn publish(&self, first: i64, entries: Vec<LogEntry>) {
        let Some(last) = entries.last().map(|entry| entry.pos) else {
            return;
        };
        let subjects = subjects(&entries);
        self.end_typing_of_leavers(&entries);
        let applied = {
            let mut ring = self.ring.write();
            let contiguous = first <= ring.position() + 1;
            if contiguous {
                ring.append(entries, last);
            }
            contiguous
        };
        if applied {
            self.advance(last);
            self.registry.wake(&subjects);
        }
        if let Some(shared) = &self.shared {
            // Others wrote what lies between: it is read with what they and we wrote.
            if !applied {
                self.note_behind();
            }
            let mut unannounced = shared.unannounced.lock();
            let from = unannounced.map_or(first, |(from, _)| from);
            *unannounced = Some((from, last));
            shared.announce.notify_one();
        }
    }

    /// Others have written, says a hint.
    fn note_behind(&self) {
        if let Some(shared) = &self.shared {
            shared.behind.notify_one();
        }
    }

    /// Applies what was read; returns the position that the read has seen.
    fn apply(&self, tail: Tail) -> i64 {
        let position = tail.position;
        let subjects = subjects(&tail.entries);
        {
            let mut ring = self.ring.write();
            if position <= ring.position() {
                // This node's own commits went further while the read was on its way.
                return position;
            }
            if tail.is_whole {
                ring.append(tail.entries, position);
            } else {
                ring.restart(position);
            }
        }
        self.advance(position);
        if tail.is_whole {
            self.registry.wake(&subjects);
        } else {
            self.registry.wake_all();
        }
        position
    }

    /// Tells those who wait for no subject in particular. Never backwards: two who have applied
    /// something may come here in the other order.
    fn advance(&self, position: i64) {
        self.advanced.send_if_modified(|told| {
            let further = position > *told;
            *told = position.max(*told);
            further
        });
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Live")
            .field("position", &self.position())
            .field("shared", &self.shared.is_some())
            .finish_non_exhaustive()
    }
}

/// The subjects of entries, and the rooms in which others are to hear of them, each once.
fn subjects(entries: &[LogEntry]) -> Vec<i64> {
    let mut subjects: Vec<i64> = entries.iter().map(|entry| entry.subject).collect();
    subjects.extend(entries.iter().flat_map(device_lists::rooms));
    subjects.sort_unstable();
    subjects.dedup();
    subjects
}

#[cfg(test)]
mod tests;
