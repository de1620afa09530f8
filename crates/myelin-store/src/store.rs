//! The store: one database, its committer and its log.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use myelin_core::environment::Clock;
use parking_lot::Mutex;
use tokio::{
    sync::oneshot,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use crate::{
    Committed, Counts, DatabaseUrl, LogEntry, OpenError, Read, StoreError, StoreOptions,
    StoreResult, Submission, WriteSet,
    counters::Counters,
    engine::Engine,
    interned_cache::InternedCache,
    live::{Live, TICK, wake_ups},
    number_blocks::NumberBlocks,
    postgres::{self, Postgres},
    queue::{Job, Queue},
    sqlite::{self, Sqlite},
    submission::{Publish, closed},
};

/// How often a use case runs before it gives up with [`StoreError::Contended`].
const ATTEMPTS_MAX: u32 = 8;

/// A database with its committer. Clones share it; it closes with the last one, or in
/// [`Store::close`], which finishes what is queued.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) engine: Engine,
    pub(crate) live: Arc<Live>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) interned_cache: InternedCache,
    pub(crate) number_blocks: NumberBlocks,
    /// Tasks that live as long as the store; aborted when it closes.
    pub(crate) tasks: Mutex<JoinSet<()>>,
    queue: Arc<Queue>,
    committer: Committer,
    shared: bool,
}

#[derive(Debug)]
enum Committer {
    Driven(Box<Mutex<sqlite::Writer>>),
    Thread(sqlite::WriterThread),
    Task(postgres::CommitterTask),
}

impl Store {
    /// Opens the database, migrates it, checks it and starts the committer.
    pub async fn open(options: StoreOptions) -> Result<Self, OpenError> {
        let counters = Arc::new(Counters::default());
        let queue = Arc::new(Queue::default());
        let mut tasks = JoinSet::new();
        let (engine, live, committer) = match &options.url {
            DatabaseUrl::Sqlite(path) => {
                let sqlite = Arc::new(Sqlite::open(path, &options, counters.clone())?);
                let engine = Engine::Sqlite(sqlite.clone());
                let live = Arc::new(Live::new(engine.clone(), sqlite.position()?));
                let writer = sqlite::Writer::open(sqlite, publish(&live), options.crash.clone())?;
                let committer = if options.driven {
                    Committer::Driven(Box::new(Mutex::new(writer)))
                } else {
                    Committer::Thread(sqlite::WriterThread::start(writer, queue.clone())?)
                };
                (engine, live, committer)
            }
            DatabaseUrl::Postgres(_) if options.driven => return Err(OpenError::NotDriven),
            DatabaseUrl::Postgres(url) => {
                let postgres = Arc::new(Postgres::open(url, &options, counters.clone()).await?);
                let engine = Engine::Postgres(postgres.clone());
                let live = Arc::new(Live::new(engine.clone(), postgres.position().await?));
                wake_ups::start(&mut tasks, &live, postgres.connector());
                let committer = postgres::Committer::new(postgres, publish(&live), options.crash);
                let task = postgres::CommitterTask::start(committer, queue.clone());
                (engine, live, Committer::Task(task))
            }
        };
        let shared = options.several_nodes || engine.is_shared();
        Ok(Self {
            inner: Arc::new(Inner {
                shared,
                engine,
                live,
                counters,
                interned_cache: InternedCache::default(),
                number_blocks: NumberBlocks::default(),
                tasks: Mutex::new(tasks),
                queue,
                committer,
            }),
        })
    }

    /// Lets time pass for what [`Store::live`] keeps in memory, by this clock, until the store
    /// closes. Called once, on a runtime.
    pub fn keep_time(&self, clock: Arc<dyn Clock>) {
        let live = self.inner.live.clone();
        self.inner.tasks.lock().spawn(async move {
            let mut ticks = interval(TICK);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                live.pass_time(i64::try_from(clock.now_ms()).unwrap_or(i64::MAX));
            }
        });
    }

    /// Finishes what is queued and stops. Later submissions are refused.
    pub async fn close(&self) {
        self.inner.queue.close();
        match &self.inner.committer {
            Committer::Driven(_) => self.drive_all(),
            Committer::Thread(thread) => thread.finished().await,
            Committer::Task(task) => task.finished().await,
        }
        let mut tasks = std::mem::take(&mut *self.inner.tasks.lock());
        tasks.shutdown().await;
    }

    /// A reader whose statements each see the latest committed rows.
    pub fn read(&self) -> Read {
        self.inner.engine.read()
    }

    /// A reader whose statements all see one moment. To be dropped soon: it holds a connection.
    pub async fn snapshot(&self) -> StoreResult<Read> {
        self.inner.engine.snapshot().await
    }

    /// Queues a set. The order of the calls is the order in which sets are checked and logged.
    pub fn submit(&self, writes: WriteSet) -> Submission {
        self.offer(writes, Queue::push)
    }

    /// Queues a set and waits until it is durable or has fallen.
    pub async fn commit(&self, writes: WriteSet) -> StoreResult<Committed> {
        self.submit(writes).await
    }

    /// As [`Store::commit`], but sets that are submitted otherwise go first, for a while: for bigger
    /// work, in slices that nothing refers to yet.
    pub async fn commit_patiently(&self, writes: WriteSet) -> StoreResult<Committed> {
        self.offer(writes, Queue::push_patient).await
    }

    /// The attempts of one use case: each reads afresh, builds a set and offers it.
    pub fn attempts(&self) -> Attempts<'_> {
        Attempts {
            store: self,
            left: ATTEMPTS_MAX,
        }
    }

    /// Waits until something is queued. Only for a store opened as driven.
    pub async fn queued(&self) {
        self.inner.queue.filled().await;
    }

    /// Commits one batch of what is queued, on this thread. Only for a store opened as driven.
    pub fn drive(&self) {
        if let Committer::Driven(writer) = &self.inner.committer
            && let Some(batch) = self.inner.queue.try_take()
        {
            writer.lock().commit(batch);
        }
    }

    /// The newest part of the log, and those who wait for more.
    pub fn live(&self) -> &Live {
        &self.inner.live
    }

    /// Whether other nodes write to this database, too.
    pub fn is_shared(&self) -> bool {
        self.inner.shared
    }

    /// Whether the caller commits what is queued, in a time of its own: a simulation.
    pub fn is_driven(&self) -> bool {
        matches!(self.inner.committer, Committer::Driven(_))
    }

    /// What the store has done so far.
    pub fn counts(&self) -> Counts {
        self.inner.counters.counts()
    }

    /// Adds to the count of trie nodes read; called by those who walk tries.
    pub fn count_trie_nodes(&self, nodes: usize) {
        self.inner
            .counters
            .trie_nodes_read
            .fetch_add(nodes as u64, Relaxed);
    }

    fn offer(&self, writes: WriteSet, push: fn(&Queue, Job) -> bool) -> Submission {
        if let Err(error) = writes.check().and_then(|()| writes.check_kinds()) {
            return Submission::refused(error);
        }
        let (answer, receiver) = oneshot::channel();
        if push(&self.inner.queue, Job { writes, answer }) {
            Submission::waiting(receiver)
        } else {
            Submission::refused(closed())
        }
    }

    fn drive_all(&self) {
        if let Committer::Driven(writer) = &self.inner.committer {
            while let Some(batch) = self.inner.queue.try_take() {
                writer.lock().commit(batch);
            }
        }
    }
}

fn publish(live: &Arc<Live>) -> Publish {
    let live = live.clone();
    Arc::new(move |entries: Vec<LogEntry>| {
        if let Some(first) = entries.first() {
            live.publish(first.pos, entries);
        }
    })
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.close();
        if let Committer::Thread(thread) = &self.committer {
            // The file may be opened again at once by another store of this process.
            thread.join();
        }
    }
}

/// Runs of one use case. Each run reads afresh, builds a set and offers it here.
#[derive(Debug)]
pub struct Attempts<'a> {
    store: &'a Store,
    left: u32,
}

impl Attempts<'_> {
    /// Commits the set. None: it met a conflict and must be built again from fresh reads.
    pub async fn commit(&mut self, writes: WriteSet) -> StoreResult<Option<Committed>> {
        match self.store.commit(writes).await {
            Ok(committed) => Ok(Some(committed)),
            Err(StoreError::Conflict) => self.conflict().map(|()| None),
            Err(error) => Err(error),
        }
    }

    /// Counts a conflict that a set submitted by other means has met.
    pub fn conflict(&mut self) -> StoreResult<()> {
        self.left -= 1;
        if self.left == 0 {
            Err(StoreError::Contended)
        } else {
            Ok(())
        }
    }
}
