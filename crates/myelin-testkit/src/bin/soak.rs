//! Simulated storms, one seed after the other: `soak FROM SEEDS`. What failed is told with its
//! story, and by the exit status.
#![expect(clippy::print_stdout, reason = "it reports to whoever started it")]

use std::{
    ops::Range,
    panic,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use myelin_testkit::simulate_federation;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mut number = || arguments.next().and_then(|text| text.parse::<u64>().ok());
    let (Some(from), Some(seeds)) = (number(), number()) else {
        println!("usage: soak FROM SEEDS");
        return ExitCode::FAILURE;
    };
    let soak = Soak {
        seeds: from..from + seeds,
        next: AtomicU64::new(from),
        failed: Mutex::default(),
        started: Instant::now(),
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| soak.work());
        }
    });
    let Soak {
        failed, started, ..
    } = soak;
    let mut failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.sort_unstable();
    println!(
        "{seeds} seeds from {from} in {} s, failed: {failed:?}",
        started.elapsed().as_secs()
    );
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The seeds, shared by several threads.
struct Soak {
    seeds: Range<u64>,
    next: AtomicU64,
    failed: Mutex<Vec<u64>>,
    started: Instant,
}

impl Soak {
    /// Takes one seed after the other until none is left.
    fn work(&self) {
        let seeds = self.seeds.end - self.seeds.start;
        while let Some(seed) = self.take() {
            if !survives(seed, seeds == 1) {
                let failed = self.failed.lock();
                failed.unwrap_or_else(PoisonError::into_inner).push(seed);
            }
            let done = seed + 1 - self.seeds.start;
            if done.is_multiple_of(50) {
                let seconds = self.started.elapsed().as_secs();
                println!("{done} of {seeds} seeds, {seconds} s");
            }
        }
    }

    fn take(&self) -> Option<u64> {
        let seed = self.next.fetch_add(1, Ordering::Relaxed);
        self.seeds.contains(&seed).then_some(seed)
    }
}

fn survives(seed: u64, tell_story: bool) -> bool {
    let Ok(course) = panic::catch_unwind(|| simulate_federation(seed)) else {
        println!("seed {seed} panicked");
        return false;
    };
    if tell_story {
        for line in &course.story {
            println!("{line}");
        }
    }
    let mut survived = true;
    for fault in course.failures.iter().chain(&course.differences) {
        println!("seed {seed}: {fault}");
        survived = false;
    }
    survived
}
