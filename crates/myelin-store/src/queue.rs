//! The sets that wait for the committer, in the order of their submission.

use std::{collections::VecDeque, time::Duration};

use parking_lot::{Condvar, Mutex};
use tokio::sync::{Notify, oneshot};

use crate::{Committed, StoreResult, WriteSet};

/// Most sets that one batch takes.
const BATCH_SETS_MAX: usize = 512;
/// Most bytes that one batch takes, unless its first set alone is larger.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most rows that one batch takes, unless its first set alone has more.
const BATCH_ROWS_MAX: usize = 20_000;

/// One waiting set and who waits for its answer.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) writes: WriteSet,
    pub(crate) answer: oneshot::Sender<StoreResult<Committed>>,
}

/// The queue between those who submit and the committer.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    for_thread: Condvar,
    for_task: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Job>,
    closed: bool,
}

/// What the queue says to a committer.
#[derive(Debug)]
pub(crate) enum Next {
    Batch(Vec<Job>),
    Idle,
    Closed,
}

impl Queue {
    /// Adds a set at the end; false if the queue is closed.
    pub(crate) fn push(&self, job: Job) -> bool {
        let mut state = self.state.lock();
        if state.closed {
            return false;
        }
        state.waiting.push_back(job);
        drop(state);
        self.for_thread.notify_one();
        self.for_task.notify_one();
        true
    }

    /// Nothing is taken in any more; what waits is still committed.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.for_thread.notify_all();
        self.for_task.notify_one();
    }

    /// The next batch, without waiting; None if nothing waits.
    pub(crate) fn try_take(&self) -> Option<Vec<Job>> {
        self.state.lock().take()
    }

    /// Waits for a batch on the calling thread, at most `idle_after`.
    pub(crate) fn take_blocking(&self, idle_after: Duration) -> Next {
        let mut state = self.state.lock();
        loop {
            if let Some(batch) = state.take() {
                return Next::Batch(batch);
            }
            if state.closed {
                return Next::Closed;
            }
            if self.for_thread.wait_for(&mut state, idle_after).timed_out() {
                return state.take().map_or(Next::Idle, Next::Batch);
            }
        }
    }

    /// Waits for a batch; None once the queue is closed and empty.
    pub(crate) async fn take(&self) -> Option<Vec<Job>> {
        loop {
            match self.take_or_closed() {
                Next::Batch(batch) => return Some(batch),
                Next::Closed => return None,
                Next::Idle => self.for_task.notified().await,
            }
        }
    }
}

impl Queue {
    fn take_or_closed(&self) -> Next {
        let mut state = self.state.lock();
        match state.take() {
            Some(batch) => Next::Batch(batch),
            None if state.closed => Next::Closed,
            None => Next::Idle,
        }
    }
}

impl State {
    fn take(&mut self) -> Option<Vec<Job>> {
        let (mut sets, mut bytes, mut rows) = (0, 0, 0);
        for job in &self.waiting {
            bytes += job.writes.bytes();
            rows += job.writes.rows();
            let full = sets == BATCH_SETS_MAX || bytes > BATCH_BYTES_MAX || rows > BATCH_ROWS_MAX;
            if full && sets > 0 {
                break;
            }
            sets += 1;
        }
        (sets > 0).then(|| self.waiting.drain(..sets).collect())
    }
}
