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

/// Batches that a patient set lets pass while others keep the committer busy.
const PATIENCE: usize = 8;

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
    /// Large sets that nobody's answer hangs on directly: one at a time, when little else waits.
    patient: VecDeque<Job>,
    /// Batches that the first patient set has let pass.
    passed: usize,
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

    /// Adds a set that lets others go first, for a while; false if the queue is closed.
    pub(crate) fn push_patient(&self, job: Job) -> bool {
        let mut state = self.state.lock();
        if state.closed {
            return false;
        }
        state.patient.push_back(job);
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

    /// Waits until something waits.
    pub(crate) async fn filled(&self) {
        while self.state.lock().is_empty() {
            self.for_task.notified().await;
        }
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
    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.patient.is_empty()
    }

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
        if sets == 0 || self.passed >= PATIENCE {
            self.passed = 0;
            if let Some(job) = self.patient.pop_front() {
                return Some(vec![job]);
            }
        } else if !self.patient.is_empty() {
            self.passed += 1;
        }
        (sets > 0).then(|| self.waiting.drain(..sets).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LogKind, LogWrite, log, test_stores};

    fn job() -> Job {
        let (answer, _) = oneshot::channel();
        let writes = WriteSet::new();
        Job { writes, answer }
    }

    fn entry(reference: i64) -> WriteSet {
        let mut writes = WriteSet::new();
        writes.log(LogWrite {
            kind: LogKind::Jobs,
            subject: 1,
            reference,
            data: bytes::Bytes::new(),
        });
        writes
    }

    #[test]
    fn a_patient_set_lets_others_pass_but_not_for_ever() {
        let queue = Queue::default();
        assert!(queue.try_take().is_none());
        queue.push_patient(job());
        queue.push_patient(job());
        assert_eq!(queue.try_take().unwrap().len(), 1, "nothing else waits");
        // Others keep coming, two for each batch.
        for _ in 0..PATIENCE {
            queue.push(job());
            queue.push(job());
            assert_eq!(queue.try_take().unwrap().len(), 2);
        }
        queue.push(job());
        queue.push(job());
        assert_eq!(queue.try_take().unwrap().len(), 1, "its turn has come");
        assert_eq!(queue.try_take().unwrap().len(), 2);
        assert!(queue.try_take().is_none());
    }

    #[tokio::test]
    async fn patient_sets_are_durable_on_both_engines() {
        for nodes in test_stores::both().await {
            nodes.one.commit(entry(1)).await.unwrap();
            nodes.one.commit_patiently(entry(2)).await.unwrap();
            nodes.one.commit(entry(3)).await.unwrap();
            let mut read = nodes.two.read();
            assert_eq!(log::position(&mut read).await.unwrap(), 3);
            nodes.close().await;
        }
    }

    #[test]
    fn a_closed_queue_still_gives_out_its_patient_sets() {
        let queue = Queue::default();
        queue.push_patient(job());
        queue.close();
        assert!(!queue.push_patient(job()));
        let next = queue.take_blocking(Duration::ZERO);
        assert!(matches!(next, Next::Batch(batch) if batch.len() == 1));
        assert!(matches!(queue.take_blocking(Duration::ZERO), Next::Closed));
    }
}
