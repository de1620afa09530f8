//! Tasks of the repository: what a machine checks before a change lands.
//!
//! Start reading at [`ci`], which runs everything; [`tidy`] holds the rules that no other tool
//! knows.
#![expect(
    clippy::print_stdout,
    reason = "a task's output is its answer, for a person at a terminal"
)]

mod bench;
mod ci;
mod tidy;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tasks of the repository")]
enum Task {
    /// Everything that must pass before a change lands
    Ci {
        /// Only these steps
        steps: Vec<String>,
    },
    /// Benchmarks, written into docs/dev/performance.md
    Bench {
        /// Only these parts
        parts: Vec<String>,
        /// How often each measurement is taken
        #[arg(long, default_value_t = 5)]
        runs: usize,
    },
    /// Myelin and Synapse in one federation, as processes
    Interop {
        /// Only tests whose names contain one of these
        tests: Vec<String>,
    },
    /// Clients that people use in an encrypted room, on two nodes of Myelin and on Synapse
    Clients,
    /// The rules of STYLE that no other tool checks
    Tidy,
    /// Simulated storms over five servers, to find out whether they agree afterwards
    Soak {
        /// The first seed
        #[arg(long, default_value_t = 1)]
        from: u64,
        /// How many seeds; a single one is told with all that happened
        #[arg(long, default_value_t = 5_000)]
        seeds: u64,
    },
    /// Gives each request to the next of several nodes: LISTEN BACKEND...
    Proxy {
        /// Addresses like 127.0.0.1:8008, that to listen on first
        addresses: Vec<String>,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    let root = root();
    let passed = match Task::parse() {
        Task::Ci { steps } => ci::run(&root, &steps)?,
        Task::Bench { parts, runs } => bench::run(&root, &parts, runs)?,
        Task::Interop { tests } => ci::run_interop(&root, &tests)?,
        Task::Clients => ci::run_clients(&root)?,
        Task::Tidy => tidy::run(&root)?,
        Task::Soak { from, seeds } => ci::run_soak(&root, from, seeds)?,
        Task::Proxy { addresses } => ci::run_proxy(&root, &addresses)?,
    };
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn root() -> PathBuf {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}
