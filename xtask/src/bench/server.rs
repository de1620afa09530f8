//! The release build of the server as a whole: sending, memory, time to ready.

use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use myelin_blackbox::{ServerOptions, ServerProcess};
use myelin_testdb::Cluster;
use tempfile::TempDir;

use super::{
    cargo,
    load::Crowd,
    process,
    report::{median, quantile, table},
    succeed,
};

/// Senders, rooms they spread over, messages they send in all in one run.
const LOADS: [(usize, usize, usize); 4] =
    [(1, 1, 1_000), (8, 1, 6_000), (8, 8, 6_000), (64, 1, 12_800)];
const STARTS: usize = 11;
const IDLE: Duration = Duration::from_secs(20);

const CPU_MS_AIM: f64 = 0.4;
const MEMORY_MB_AIM: f64 = 40.0;
const READY_S_AIM: f64 = 0.3;

/// What was measured on one engine.
pub(super) struct Measured {
    engine: &'static str,
    loads: Vec<Load>,
    memory: Vec<Memory>,
    ready_s: Vec<f64>,
    messages: usize,
}

struct Load {
    senders: usize,
    rooms: usize,
    messages: usize,
    runs: Vec<Run>,
}

/// One run; processor time is for one message.
struct Run {
    per_second: f64,
    latency_median_ms: f64,
    latency_99_ms: f64,
    server_cpu_ms: f64,
    database_cpu_ms: f64,
    client_cpu_ms: f64,
}

/// Resident and proportional memory at a moment.
struct Memory {
    moment: String,
    resident_mb: f64,
    proportional_mb: f64,
}

/// Builds the server, then measures it on each engine that there is.
pub(super) fn measure(root: &Path, runs: usize) -> anyhow::Result<Vec<Measured>> {
    succeed(&mut cargo(
        root,
        &["build", "--release", "--package", "myelin"],
    ))?;
    let mut all = Vec::new();
    let folder = work_dir()?;
    let options = ServerOptions::new(binary()?, folder.path());
    all.push(measure_engine("SQLite", &options, None, runs)?);
    if let Some(cluster) = Cluster::private() {
        let folder = work_dir()?;
        let database = cluster.database();
        let mut options = ServerOptions::new(binary()?, folder.path());
        options.database_url = Some(database.url());
        let process = Some(cluster.process_id());
        all.push(measure_engine("PostgreSQL", &options, process, runs)?);
    } else {
        println!("PostgreSQL is not installed");
    }
    Ok(all)
}

/// A temporary folder on the disk that holds the build, for the system's own one may be memory.
pub(super) fn work_dir() -> anyhow::Result<TempDir> {
    Ok(tempfile::tempdir_in(build_dir()?)?)
}

/// This program is `BUILD/debug/xtask`.
fn build_dir() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let build = own.parent().and_then(Path::parent);
    Ok(build.context("this program is nowhere")?.to_owned())
}

fn binary() -> anyhow::Result<PathBuf> {
    Ok(build_dir()?.join("release/myelin"))
}

fn measure_engine(
    engine: &'static str,
    options: &ServerOptions,
    database: Option<u32>,
    runs: usize,
) -> anyhow::Result<Measured> {
    let server = ServerProcess::start(options)?;
    let mut memory = vec![Memory::of(&server, "at the first start")?];
    let users = LOADS.iter().map(|load| load.0).max().unwrap_or(1);
    let rooms = LOADS.iter().map(|load| load.1).max().unwrap_or(1);
    let mut crowd = Crowd::gather(server.address, users, rooms)?;
    let mut loads = LOADS.map(|(senders, rooms, messages)| Load {
        senders,
        rooms,
        messages,
        runs: Vec::new(),
    });
    for load in &loads {
        // Not counted: caches fill, files grow.
        crowd.send(load.senders, load.rooms, load.messages / 5)?;
    }
    // In turn, so that a slow minute of the machine does not fall on one load alone.
    for run in 1..=runs {
        for load in &mut loads {
            load.runs.push(load.run(&mut crowd, &server, database)?);
        }
        println!("{engine}: run {run} of {runs}");
    }
    memory.push(Memory::of(&server, "after the load")?);
    memory.push(Memory::of_idle(&server, "after the load")?);
    server.stop()?;
    let ready_s = (0..STARTS).map(|_| start_and_stop(options));
    let ready_s = ready_s.collect::<anyhow::Result<Vec<_>>>()?;
    let server = ServerProcess::start(options)?;
    memory.push(Memory::of(&server, "started again")?);
    memory.push(Memory::of_idle(&server, "started again")?);
    server.stop()?;
    let messages = loads.iter().map(|load| load.messages).sum::<usize>() * runs;
    Ok(Measured {
        engine,
        loads: loads.into(),
        memory,
        ready_s,
        messages,
    })
}

impl Load {
    #[expect(clippy::cast_precision_loss, reason = "a number of messages is small")]
    fn run(
        &self,
        crowd: &mut Crowd,
        server: &ServerProcess,
        database: Option<u32>,
    ) -> anyhow::Result<Run> {
        let cpu = || -> anyhow::Result<(Duration, Duration)> {
            let database = database.map(process::cpu_with_children).transpose()?;
            Ok((process::cpu(server.id())?, database.unwrap_or_default()))
        };
        let (server_before, database_before) = cpu()?;
        let taken = crowd.send(self.senders, self.rooms, self.messages)?;
        let (server_after, database_after) = cpu()?;
        let count = taken.latencies_ms.len() as f64;
        let each_ms = |time: Duration| time.as_secs_f64() * 1e3 / count;
        Ok(Run {
            per_second: count / taken.time.as_secs_f64(),
            latency_median_ms: median(taken.latencies_ms.iter().copied()),
            latency_99_ms: quantile(taken.latencies_ms, 0.99),
            server_cpu_ms: each_ms(server_after.saturating_sub(server_before)),
            database_cpu_ms: each_ms(database_after.saturating_sub(database_before)),
            client_cpu_ms: each_ms(taken.client_cpu),
        })
    }

    /// The median of all runs.
    fn median(&self, figure: impl Fn(&Run) -> f64) -> f64 {
        median(self.runs.iter().map(figure))
    }

    fn row(&self, engine: &str) -> Vec<String> {
        let spread = |figure: fn(&Run) -> f64| {
            let least = quantile(self.runs.iter().map(figure), 0.0);
            let most = quantile(self.runs.iter().map(figure), 1.0);
            format!("{:.2} ({least:.2}–{most:.2})", self.median(figure))
        };
        vec![
            engine.to_owned(),
            self.senders.to_string(),
            self.rooms.to_string(),
            format!("{:.0}", self.median(|run| run.per_second)),
            format!("{:.1}", self.median(|run| run.latency_median_ms)),
            format!("{:.1}", self.median(|run| run.latency_99_ms)),
            spread(|run| run.server_cpu_ms),
            format!("{:.2}", self.median(|run| run.database_cpu_ms)),
            format!("{:.2}", self.median(|run| run.client_cpu_ms)),
        ]
    }
}

impl Memory {
    fn of(server: &ServerProcess, moment: &str) -> anyhow::Result<Self> {
        let (resident_mb, proportional_mb) = process::memory_mb(server.id())?;
        Ok(Self {
            moment: moment.to_owned(),
            resident_mb,
            proportional_mb,
        })
    }

    fn of_idle(server: &ServerProcess, moment: &str) -> anyhow::Result<Self> {
        thread::sleep(IDLE);
        Self::of(server, &format!("{moment}, {} s idle", IDLE.as_secs()))
    }
}

/// Seconds from the start of the process until it listens.
fn start_and_stop(options: &ServerOptions) -> anyhow::Result<f64> {
    let started = Instant::now();
    let server = ServerProcess::start(options)?;
    let ready = started.elapsed().as_secs_f64();
    server.stop()?;
    Ok(ready)
}

/// The figures that have an aim, all on the embedded database.
pub(super) fn aims(measured: &[Measured]) -> String {
    let Some(embedded) = measured.first() else {
        return String::new();
    };
    let eight = embedded.loads.iter().find(|load| load.senders == 8);
    let cpu = eight.map_or(f64::NAN, |load| load.median(|run| run.server_cpu_ms));
    let memory = embedded
        .memory
        .last()
        .map_or(f64::NAN, |last| last.resident_mb);
    let ready = median(embedded.ready_s.iter().copied());
    let row = |what: &str, measured: f64, aim: f64, unit: &str| {
        let verdict = if measured <= aim { "holds" } else { "missed" };
        vec![
            what.to_owned(),
            format!("{aim} {unit}"),
            format!("{measured:.2} {unit}"),
            verdict.to_owned(),
        ]
    };
    let rows = [
        row(
            "processor time per message, 8 senders in one room",
            cpu,
            CPU_MS_AIM,
            "ms",
        ),
        row(
            "resident memory when started again and idle",
            memory,
            MEMORY_MB_AIM,
            "MB",
        ),
        row(
            "time to ready on an existing database",
            ready,
            READY_S_AIM,
            "s",
        ),
    ];
    table(&["SQLite", "at most", "measured", ""], &rows)
}

/// All figures.
pub(super) fn tables(measured: &[Measured]) -> String {
    let mut loads = Vec::new();
    let mut memory = Vec::new();
    let mut ready = Vec::new();
    for measured in measured {
        let engine = measured.engine;
        loads.extend(measured.loads.iter().map(|load| load.row(engine)));
        memory.extend(measured.memory.iter().map(|memory| {
            vec![
                format!("{engine}, {}", memory.moment),
                format!("{:.1}", memory.resident_mb),
                format!("{:.1}", memory.proportional_mb),
            ]
        }));
        let times = || measured.ready_s.iter().copied();
        ready.push(vec![
            format!("{engine}, {} messages", measured.messages),
            format!("{:.3}", median(times())),
            format!("{:.3}", quantile(times(), 1.0)),
        ]);
    }
    let loads = table(
        &[
            "Sending",
            "senders",
            "rooms",
            "messages/s",
            "median ms",
            "99 % ms",
            "server CPU ms each",
            "PostgreSQL's",
            "sender's",
        ],
        &loads,
    );
    let memory = table(&["Memory", "resident MB", "proportional MB"], &memory);
    let ready = table(&["Time to ready", "median s", "longest s"], &ready);
    format!("{loads}\n{memory}\n{ready}")
}
