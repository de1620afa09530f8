//! The one writer: takes all waiting sets as one batch, one flush for all of them.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use parking_lot::Mutex;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::watch;

use super::{
    Sqlite,
    checkpoint::{Checkpointer, CheckpointerThread},
    connect, failed,
    writes::{Texts, Writes, prepare},
};
use crate::{
    Committed, CrashPlan, CrashPoint, LogEntry, OpenError, StoreError, StoreResult, WriteSet,
    queue::{Job, Next, Queue},
    submission::{Publish, lost},
};

const WRITER_STATEMENTS: usize = 512;
/// How long the queue is empty before the write-ahead log is put away.
const IDLE_AFTER: Duration = Duration::from_secs(5);
/// The row of `batches` of the only node that an embedded database has.
const NODE: i64 = 0;

/// The writing connection and what it needs.
pub(crate) struct Writer {
    sqlite: Arc<Sqlite>,
    /// None after a crash, until the next batch.
    connection: Option<Connection>,
    texts: Texts,
    publish: Publish,
    crash: Option<Arc<CrashPlan>>,
    batch: i64,
    /// Pages in the write-ahead log after the last commit.
    wal_pages: Arc<AtomicU64>,
    checkpointer: Checkpointer,
}

impl fmt::Debug for Writer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("Writer");
        debug.field("batch", &self.batch).finish_non_exhaustive()
    }
}

/// What one transaction has done: an outcome per set, the log entries, the counts.
struct Done {
    outcomes: Vec<StoreResult<Committed>>,
    entries: Vec<LogEntry>,
    statements: u64,
    rows: u64,
}

/// Why a batch was not committed, or not surely.
enum Failure {
    /// The engine refused a statement; everything was rolled back.
    Refused(StoreError),
    /// The connection was lost.
    Lost,
    /// The connection was lost in or after COMMIT.
    InDoubt(Done),
}

impl Writer {
    pub(crate) fn open(
        sqlite: Arc<Sqlite>,
        publish: Publish,
        crash: Option<Arc<CrashPlan>>,
    ) -> Result<Self, OpenError> {
        let checkpointer = Checkpointer::open(&sqlite.path).map_err(failed)?;
        let mut writer = Self {
            sqlite,
            connection: None,
            texts: Texts::default(),
            publish,
            crash,
            batch: 0,
            wal_pages: Arc::default(),
            checkpointer,
        };
        writer.batch = last_batch(writer.connect()?)?;
        Ok(writer)
    }

    /// Commits a batch and answers each of its sets.
    pub(crate) fn commit(&mut self, jobs: Vec<Job>) {
        self.commit_jobs(jobs);
        self.checkpointer.after_commit(self.wal_pages.load(Relaxed));
    }

    fn commit_jobs(&mut self, jobs: Vec<Job>) {
        let sets: Vec<_> = jobs.iter().map(|job| &job.writes).collect();
        let result = match self.transact(&sets) {
            Err(Failure::InDoubt(done)) => self.read_back(done),
            result => result,
        };
        match result {
            Ok(done) => self.answer(jobs, done),
            // One set's fault must not be its neighbours'.
            Err(Failure::Refused(StoreError::Driver(_) | StoreError::Conflict))
                if jobs.len() > 1 =>
            {
                let mut jobs = jobs;
                let second = jobs.split_off(jobs.len() / 2);
                self.commit_jobs(jobs);
                self.commit_jobs(second);
            }
            Err(Failure::Refused(error)) => refuse(jobs, &error),
            Err(Failure::Lost | Failure::InDoubt(_)) => refuse(jobs, &lost()),
        }
    }

    fn answer(&self, jobs: Vec<Job>, done: Done) {
        let counters = &self.sqlite.counters;
        counters.batches.fetch_add(1, Relaxed);
        counters.statements.fetch_add(done.statements, Relaxed);
        counters.rows_written.fetch_add(done.rows, Relaxed);
        (self.publish)(done.entries);
        for (job, outcome) in jobs.into_iter().zip(done.outcomes) {
            // Who no longer waits for the answer has dropped the receiver.
            let _ = job.answer.send(outcome);
        }
    }

    /// Checks, writes and commits in one transaction.
    fn transact(&mut self, sets: &[&WriteSet]) -> Result<Done, Failure> {
        self.crash(CrashPoint::BeforeBegin)?;
        let batch = self.batch + 1;
        self.connect().map_err(Failure::Refused)?;
        let result = self.write(sets, batch);
        let connection = self.connection.as_ref().ok_or(Failure::Lost)?;
        let done = match result {
            Ok(done) => done,
            Err(failure) => {
                self.abandon();
                return Err(failure);
            }
        };
        if let Err(error) = connection.execute_batch("COMMIT") {
            tracing::error!(%error, "the commit of a batch failed");
            self.abandon();
            return match failed(error) {
                error @ StoreError::Full(_) => Err(Failure::Refused(error)),
                _ => Err(Failure::InDoubt(done)),
            };
        }
        if self.crash(CrashPoint::AfterCommit).is_err() {
            return Err(Failure::InDoubt(done));
        }
        self.batch = batch;
        Ok(done)
    }

    /// Everything of a transaction but its COMMIT.
    fn write(&mut self, sets: &[&WriteSet], batch: i64) -> Result<Done, Failure> {
        let connection = self.connection.as_ref().ok_or(Failure::Lost)?;
        let begin = connection.execute_batch("BEGIN IMMEDIATE");
        begin.map_err(|error| Failure::Refused(failed(error)))?;
        let mut pos = last_position(connection).map_err(Failure::Refused)?;
        let position_before = pos;
        let mut writes = Writes::new(connection, &mut self.texts);
        let (mut outcomes, mut entries) = (Vec::with_capacity(sets.len()), Vec::new());
        let strikes = |point| strikes(self.crash.as_ref(), point);
        for set in sets {
            if !writes.check(set).map_err(Failure::Refused)? {
                outcomes.push(Err(StoreError::Conflict));
                continue;
            }
            strikes(CrashPoint::AfterChecks)?;
            let taken = writes.apply(set).map_err(Failure::Refused)?;
            let before = pos;
            for entry in set.entries(&taken) {
                pos += 1;
                entries.push(entry.at(pos));
            }
            outcomes.push(Ok(Committed::new(before, pos, taken)));
        }
        strikes(CrashPoint::AfterRows)?;
        for entry in &entries {
            writes.log(entry).map_err(Failure::Refused)?;
        }
        let (statements, rows) = (writes.statements, writes.rows);
        let moved = (pos > position_before).then_some(pos);
        put_books(connection, moved, batch).map_err(Failure::Refused)?;
        strikes(CrashPoint::BeforeCommit)?;
        Ok(Done {
            outcomes,
            entries,
            statements,
            rows,
        })
    }

    /// Finds out on a new connection whether the batch in doubt was committed.
    fn read_back(&mut self, done: Done) -> Result<Done, Failure> {
        let batch = self.batch + 1;
        let committed = self.connect().and_then(last_batch);
        match committed {
            Ok(found) if found == batch => {
                self.batch = batch;
                Ok(done)
            }
            Ok(_) => Err(Failure::Lost),
            Err(error) => Err(Failure::Refused(error)),
        }
    }

    fn connect(&mut self) -> StoreResult<&Connection> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.open_connection().map_err(failed)?,
        };
        Ok(self.connection.insert(connection))
    }

    fn open_connection(&self) -> rusqlite::Result<Connection> {
        let mut connection = connect(&self.sqlite.path)?;
        connection.set_transaction_behavior(TransactionBehavior::Immediate);
        connection.set_prepared_statement_cache_capacity(WRITER_STATEMENTS);
        let wal_pages = self.wal_pages.clone();
        let hook = move |_: &mut rusqlite::hooks::Wal, pages| {
            wal_pages.store(u64::try_from(pages).unwrap_or(0), Relaxed);
            Ok(())
        };
        connection.wal_hook(Some(hook))?;
        Ok(connection)
    }

    /// Rolls back, or drops a connection that cannot.
    fn abandon(&mut self) {
        if let Some(connection) = &self.connection
            && !connection.is_autocommit()
            && connection.execute_batch("ROLLBACK").is_err()
        {
            self.connection = None;
        }
    }

    fn crash(&mut self, point: CrashPoint) -> Result<(), Failure> {
        strikes(self.crash.as_ref(), point).inspect_err(|_| self.connection = None)
    }
}

fn strikes(crash: Option<&Arc<CrashPlan>>, point: CrashPoint) -> Result<(), Failure> {
    if crash.is_some_and(|crash| crash.strikes(point)) {
        return Err(Failure::Lost);
    }
    Ok(())
}

fn refuse(jobs: Vec<Job>, error: &StoreError) {
    for job in jobs {
        let _ = job.answer.send(Err(error.clone()));
    }
}

fn last_position(connection: &Connection) -> StoreResult<i64> {
    let mut statement = prepare(connection, "SELECT pos FROM log_counter")?;
    statement.query_one([], |row| row.get(0)).map_err(failed)
}

fn last_batch(connection: &Connection) -> StoreResult<i64> {
    let mut statement = prepare(connection, "SELECT MAX(batch) FROM batches WHERE node = ?1")?;
    let found: Option<i64> = statement
        .query_one([NODE], |row| row.get(0))
        .map_err(failed)?;
    Ok(found.unwrap_or(0))
}

/// Writes the log counter, if it moved, and the number of the batch.
fn put_books(connection: &Connection, position: Option<i64>, batch: i64) -> StoreResult<()> {
    if let Some(position) = position {
        let mut statement = prepare(connection, "UPDATE log_counter SET pos = ?1")?;
        statement.execute([position]).map_err(failed)?;
    }
    let sql = "INSERT INTO batches (node, batch, pos) VALUES (?1, ?2, 0)
        ON CONFLICT (node) DO UPDATE SET batch = excluded.batch";
    let mut statement = prepare(connection, sql)?;
    statement.execute([NODE, batch]).map_err(failed).map(drop)
}

/// The writer on a thread of its own.
#[derive(Debug)]
pub(crate) struct WriterThread {
    handle: Mutex<Option<JoinHandle<()>>>,
    finished: watch::Receiver<bool>,
}

impl WriterThread {
    pub(crate) fn start(mut writer: Writer, queue: Arc<Queue>) -> Result<Self, OpenError> {
        let checkpoints = CheckpointerThread::start(&mut writer.checkpointer)?;
        let (told, finished) = watch::channel(false);
        let handle = thread::Builder::new()
            .name("committer".to_owned())
            .spawn(move || {
                writer.run(&queue);
                drop(writer);
                checkpoints.join();
                // Nobody may be waiting.
                let _ = told.send(true);
            })
            .map_err(|error| OpenError::Store(StoreError::Unavailable(Arc::new(error))))?;
        Ok(Self {
            handle: Mutex::new(Some(handle)),
            finished,
        })
    }

    /// Waits until the queue is closed and everything in it was answered.
    pub(crate) async fn finished(&self) {
        // An error means that the thread has panicked, which it has reported.
        let _ = self.finished.clone().wait_for(|finished| *finished).await;
    }

    /// As [`Self::finished`], on the calling thread.
    pub(crate) fn join(&self) {
        let handle = self.handle.lock().take();
        // The last owner of a store may be a task that the committer itself has woken and dropped.
        if let Some(handle) = handle.filter(|handle| handle.thread().id() != thread::current().id())
        {
            // A panic of the committer was reported by its thread.
            let _ = handle.join();
        }
    }
}

impl Writer {
    fn run(&mut self, queue: &Queue) {
        loop {
            match queue.take_blocking(IDLE_AFTER) {
                Next::Batch(jobs) => self.commit(jobs),
                Next::Idle => self.checkpointer.when_idle(),
                Next::Closed => return,
            }
        }
    }
}
