//! What checks and the log cost: the committer with expectations and 1 % conflicts against a bare
//! group-commit loop that writes the same rows, in the same run on the same engine.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark talks to a person and has nobody to hand errors to"
)]

mod bare_postgres;
mod bare_sqlite;
mod committed;
mod event;

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use myelin_store::DatabaseUrl;
use myelin_testdb::Cluster;
use tokio::task::JoinSet;

use event::{Engine, Event};

/// As the server does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const WARM_UP: Duration = Duration::from_millis(700);
const MEASURED: Duration = Duration::from_secs(3);
/// Each loop is measured so often, in turn; the medians count.
const ROUNDS: usize = 3;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    println!("| engine | writers | bare events/s | committer events/s | ratio |");
    println!("| --- | --- | --- | --- | --- |");
    let cluster = Cluster::private();
    for engine in [Engine::Sqlite, Engine::Postgres] {
        for writers in [16, 256] {
            runtime.block_on(compare(engine, writers, cluster.as_ref()));
        }
    }
}

async fn compare(engine: Engine, writers: i64, cluster: Option<&Cluster>) {
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let Some(place) = Place::new(engine, cluster) else {
            println!("| {engine} | {writers} | not installed | | |");
            return;
        };
        bare.push(measure_bare(&place, writers).await);
        let place = Place::new(engine, cluster).expect("as before");
        ours.push(measure_committer(&place, writers).await);
    }
    let (bare, ours) = (median(bare), median(ours));
    let percent = ours * 100 / bare.max(1);
    println!("| {engine} | {writers} | {bare} | {ours} | {percent} % |");
}

/// A fresh database with the schema.
enum Place<'c> {
    Sqlite(tempfile::TempDir),
    Postgres(myelin_testdb::Database<'c>),
}

impl<'c> Place<'c> {
    fn new(engine: Engine, cluster: Option<&'c Cluster>) -> Option<Self> {
        let schema = event::schema(engine);
        Some(match engine {
            Engine::Sqlite => {
                let place = Self::Sqlite(tempfile::tempdir().expect("a directory"));
                let DatabaseUrl::Sqlite(path) = place.url() else {
                    return None;
                };
                let connection = rusqlite::Connection::open(path).expect("a database");
                connection.execute_batch(&schema).expect("a schema");
                place
            }
            Engine::Postgres => {
                let database = cluster?.database();
                database.execute(&schema);
                Self::Postgres(database)
            }
        })
    }

    fn url(&self) -> DatabaseUrl {
        match self {
            Self::Sqlite(directory) => DatabaseUrl::Sqlite(directory.path().join("bench.db")),
            Self::Postgres(database) => DatabaseUrl::Postgres(database.url()),
        }
    }
}

async fn measure_committer(place: &Place<'_>, writers: i64) -> u64 {
    let store = committed::open(place.url()).await;
    let committing = store.clone();
    let rate = measure(writers, move |event, is_stale| {
        let submission = committing.submit(committed::write_set(&event, is_stale));
        async move { submission.await.is_ok() }
    })
    .await;
    store.close().await;
    rate
}

async fn measure_bare(place: &Place<'_>, writers: i64) -> u64 {
    let (queue, jobs) = tokio::sync::mpsc::unbounded_channel();
    let ended = match place.url() {
        DatabaseUrl::Sqlite(path) => bare_sqlite::start(path, jobs),
        DatabaseUrl::Postgres(url) => bare_postgres::start(&url, jobs).await,
    };
    let rate = measure(writers, move |event, is_stale| {
        let (answer, committed) = tokio::sync::oneshot::channel();
        // A stale event is one that the committer would refuse; here there is nothing to refuse.
        if !is_stale {
            let _ = queue.send((event, answer));
        }
        async move { !is_stale && committed.await.is_ok() }
    })
    .await;
    let _ = ended.await;
    rate
}

/// Events per second of writers that each send the next event when the last is durable. Each has a
/// room of its own; one event in a hundred is stale first, as if another node had been faster.
async fn measure<F, S>(writers: i64, submit: S) -> u64
where
    S: Fn(Event, bool) -> F + Send + Sync + 'static,
    F: Future<Output = bool> + Send + 'static,
{
    let submit = Arc::new(submit);
    let (count, stop) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let mut tasks = JoinSet::new();
    for room in 1..=writers {
        let (submit, count, stop) = (submit.clone(), count.clone(), stop.clone());
        tasks.spawn(async move {
            for version in (1..).take_while(|_| !stop.load(Relaxed)) {
                let is_stale = (version + room) % 100 == 0;
                let refused = is_stale && !submit(Event::new(room, version), true).await;
                assert_eq!(refused, is_stale);
                assert!(
                    submit(Event::new(room, version), false).await,
                    "a fresh event"
                );
                count.fetch_add(1, Relaxed);
            }
        });
    }
    let_run(&mut tasks, WARM_UP).await;
    let (before, start) = (count.load(Relaxed), Instant::now());
    let_run(&mut tasks, MEASURED).await;
    let events = count.load(Relaxed) - before;
    let elapsed = start.elapsed();
    stop.store(true, Relaxed);
    while tasks.join_next().await.is_some() {}
    events * 1_000 / u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// Lets the writers write for a while; none of them ends before it is told to.
async fn let_run(writers: &mut JoinSet<()>, time: Duration) {
    if let Ok(ended) = tokio::time::timeout(time, writers.join_next()).await {
        panic!("a writer has failed: {ended:?}");
    }
}

fn median(mut rates: Vec<u64>) -> u64 {
    rates.sort_unstable();
    rates[rates.len() / 2]
}
