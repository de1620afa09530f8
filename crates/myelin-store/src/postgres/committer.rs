//! The committer of one node: takes all waiting sets as one batch and answers them, whatever
//! happens to its connection.

use std::{
    fmt, iter,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use super::{
    Postgres,
    batch::{Connection, Failure},
    errors::{failed, is_duplicate, is_transient},
    pending::Pending,
    plan::decidable,
    texts::Verb,
};
use crate::{
    CrashPlan, CrashPoint, StoreError, StoreResult, WriteSet,
    queue::{Job, Queue},
    submission::{Publish, lost},
};

/// How often a batch is tried that meets a deadlock or a lost connection.
const TRIES: usize = 5;
/// How long the committer looks for the outcome of a COMMIT whose answer was lost.
const DOUBT: Duration = Duration::from_secs(10);
/// The pause between two attempts to connect.
const RECONNECT: Duration = Duration::from_millis(100);

/// The committer's connection and books.
pub(crate) struct Committer {
    postgres: Arc<Postgres>,
    publish: Publish,
    crash: Option<Arc<CrashPlan>>,
    /// The number of the last attempt; each has its own.
    batch: i64,
    /// None until it is needed, and after it was lost.
    connection: Option<Connection>,
}

impl Committer {
    pub(crate) fn new(
        postgres: Arc<Postgres>,
        publish: Publish,
        crash: Option<Arc<CrashPlan>>,
    ) -> Self {
        Self {
            postgres,
            publish,
            crash,
            batch: 0,
            connection: None,
        }
    }

    async fn run(mut self, queue: Arc<Queue>) {
        while let Some(jobs) = queue.take().await {
            self.commit(jobs).await;
        }
    }

    async fn commit(&mut self, jobs: Vec<Job>) {
        let mut waiting = vec![jobs];
        while let Some(mut jobs) = waiting.pop() {
            let sets: Vec<_> = jobs.iter().map(|job| &job.writes).collect();
            let later = jobs.split_off(decidable(&sets));
            if !later.is_empty() {
                waiting.push(later);
            }
            let sets: Vec<_> = jobs.iter().map(|job| &job.writes).collect();
            match self.commit_sets(&sets).await {
                Ok((pending, position)) => self.answer(jobs, pending, position),
                // One set's fault must not be its neighbours'.
                Err(StoreError::Driver(_) | StoreError::Conflict) if jobs.len() > 1 => {
                    let second = jobs.split_off(jobs.len() / 2);
                    waiting.extend([second, jobs]);
                }
                Err(error) => refuse(jobs, &error),
            }
        }
    }

    fn answer(&self, jobs: Vec<Job>, pending: Pending, position: i64) {
        let counters = &self.postgres.counters;
        counters.batches.fetch_add(1, Relaxed);
        counters.statements.fetch_add(pending.statements, Relaxed);
        counters.rows_written.fetch_add(pending.rows, Relaxed);
        let sets: Vec<_> = jobs.iter().map(|job| &job.writes).collect();
        let (outcomes, entries) = pending.finish(&sets, position);
        (self.publish)(entries);
        for (job, outcome) in iter::zip(jobs, outcomes) {
            let _ = job.answer.send(outcome);
        }
    }

    /// Commits the sets as one batch; with the position after it.
    async fn commit_sets(&mut self, sets: &[&WriteSet]) -> StoreResult<(Pending, i64)> {
        let mut last_error = lost();
        let mut claim = Verb::Claim;
        for _ in 0..TRIES {
            match self.attempt(sets, claim).await {
                Ok(done) => return Ok(done),
                Err(Failure::Refused(error)) if is_transient(&error) => {
                    last_error = StoreError::Unavailable(Arc::new(error));
                }
                Err(Failure::Refused(error)) if is_duplicate(&error) && claim == Verb::Claim => {
                    claim = Verb::ClaimAgainstOthers;
                }
                Err(Failure::Refused(error)) => return Err(failed(error)),
                Err(Failure::Failed(error)) => return Err(error),
                Err(Failure::Lost(error)) => {
                    self.connection = None;
                    last_error = error;
                }
                Err(Failure::InDoubt(pending)) => {
                    self.connection = None;
                    match self.read_back().await? {
                        Some(position) => return Ok((pending, position)),
                        None => last_error = lost(),
                    }
                }
            }
        }
        Err(last_error)
    }

    async fn attempt(
        &mut self,
        sets: &[&WriteSet],
        claim: Verb,
    ) -> Result<(Pending, i64), Failure> {
        let crash = self.crash.as_ref();
        if crash.is_some_and(|crash| crash.strikes(CrashPoint::BeforeBegin)) {
            return Err(Failure::Lost(lost()));
        }
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                let opened = Connection::open(self.postgres.connector()).await;
                none.insert(opened.map_err(Failure::Failed)?)
            }
        };
        self.batch += 1;
        let books = (self.postgres.node, self.batch);
        connection.transact(sets, books, claim, crash).await
    }

    /// Whether the last attempt was committed after all: then the position after it.
    async fn read_back(&mut self) -> StoreResult<Option<i64>> {
        let found = timeout(DOUBT, self.find_books()).await;
        let (connection, (batch, position)) =
            found.map_err(|elapsed| StoreError::Unavailable(Arc::new(elapsed)))?;
        self.connection = Some(connection);
        Ok((batch == self.batch).then_some(position))
    }

    /// Asks until somebody answers.
    async fn find_books(&mut self) -> (Connection, (i64, i64)) {
        loop {
            match self.ask_books().await {
                Ok(found) => return found,
                Err(_) => sleep(RECONNECT).await,
            }
        }
    }

    async fn ask_books(&mut self) -> StoreResult<(Connection, (i64, i64))> {
        let mut connection = Connection::open(self.postgres.connector()).await?;
        let last = connection
            .last_batch(self.postgres.node)
            .await
            .map_err(failed)?;
        Ok((connection, last))
    }
}

fn refuse(jobs: Vec<Job>, error: &StoreError) {
    for job in jobs {
        // Who no longer waits for the answer has dropped the receiver.
        let _ = job.answer.send(Err(error.clone()));
    }
}

impl fmt::Debug for Committer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("Committer");
        debug.field("batch", &self.batch).finish_non_exhaustive()
    }
}

/// The committer as a task.
#[derive(Debug)]
pub(crate) struct CommitterTask {
    finished: watch::Receiver<bool>,
}

impl CommitterTask {
    pub(crate) fn start(committer: Committer, queue: Arc<Queue>) -> Self {
        let (told, finished) = watch::channel(false);
        let runtime = committer.postgres.connector().runtime().clone();
        runtime.spawn(async move {
            committer.run(queue).await;
            // Nobody may be waiting.
            let _ = told.send(true);
        });
        Self { finished }
    }

    /// Waits until the queue is closed and everything in it was answered.
    pub(crate) async fn finished(&self) {
        // An error means that the task has panicked, which was reported.
        let _ = self.finished.clone().wait_for(|finished| *finished).await;
    }
}
