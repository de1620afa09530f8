//! Everything that must pass before a change lands, as one table of steps.

mod clients;
mod packages;
mod step;
mod synapse;

use std::{
    env,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::ensure;

use step::{Outcome, Run};

/// How long each fuzz target runs here; longer runs find more, and are started by hand.
const FUZZ_SECONDS: u32 = 15;

type Step = fn(&Run<'_>) -> anyhow::Result<Outcome>;

/// Name and step; the cheap ones first.
const STEPS: [(&str, Step); 8] = [
    ("fmt", fmt),
    ("tidy", tidy),
    ("clippy", clippy),
    ("deny", deny),
    ("clients", clients::install),
    ("test", test),
    ("doc", doc),
    ("fuzz", fuzz),
];

/// Runs the steps named, or all, and prints what each took; true if none failed.
pub(crate) fn run(root: &Path, wanted: &[String]) -> anyhow::Result<bool> {
    for name in wanted {
        let known = STEPS.map(|(name, _)| name);
        ensure!(
            known.contains(&name.as_str()),
            "no step {name}: there are {}",
            known.join(", ")
        );
    }
    let run = Run::new(root);
    let started = Instant::now();
    let mut report = Vec::new();
    let mut passed = true;
    let mut closing = Vec::new();
    for (name, step) in STEPS {
        if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
            continue;
        }
        println!("--- {name}");
        let started = Instant::now();
        let outcome = step(&run)?;
        passed &= !matches!(outcome, Outcome::Failed(_));
        let line = format!(
            "{name:7} {:>7} {}",
            seconds(started.elapsed()),
            outcome.word()
        );
        println!("{line}");
        report.push(line);
        closing.extend(outcome.into_closing_lines());
    }
    println!("--- summary ({} in all)", seconds(started.elapsed()));
    for line in report.iter().chain(&closing) {
        println!("{line}");
    }
    Ok(passed)
}

/// Installs Synapse and runs the tests with it; true if none failed.
pub(crate) fn run_interop(root: &Path, words: &[String]) -> anyhow::Result<bool> {
    let run = Run::new(root);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    run_after("interop", &run, &[synapse::install], |run| {
        synapse::test(run, &words)
    })
}

/// Installs Synapse and clients, and lets them talk with Myelin; true if nothing failed.
pub(crate) fn run_clients(root: &Path) -> anyhow::Result<bool> {
    let run = Run::new(root);
    let installed: [Step; 3] = [
        synapse::install,
        clients::install,
        clients::build_matrix_sdk,
    ];
    run_after("clients", &run, &installed, |run| {
        // Who waits for minutes wants to see how far it has come.
        synapse::test(run, &["encryption::", "--no-capture"])
    })
}

/// Runs a step after all others that it needs, and not at all where one of these is missing.
fn run_after(
    name: &str,
    run: &Run<'_>,
    needed: &[Step],
    step: impl FnOnce(&Run<'_>) -> anyhow::Result<Outcome>,
) -> anyhow::Result<bool> {
    let started = Instant::now();
    for needed in needed {
        let outcome = needed(run)?;
        if !matches!(outcome, Outcome::Passed(_)) {
            println!("{name} {}", outcome.word());
            return Ok(false);
        }
    }
    let outcome = step(run)?;
    println!("{name} {} {}", seconds(started.elapsed()), outcome.word());
    Ok(matches!(outcome, Outcome::Passed(_)))
}

/// Runs the test kit's proxy until it is interrupted.
pub(crate) fn run_proxy(root: &Path, addresses: &[String]) -> anyhow::Result<bool> {
    let mut arguments = vec![
        "run",
        "--quiet",
        "--package",
        "myelin-testkit",
        "--bin",
        "alternating-proxy",
        "--",
    ];
    arguments.extend(addresses.iter().map(String::as_str));
    let outcome = Run::new(root).cargo(&arguments)?;
    Ok(matches!(outcome, Outcome::Passed(_)))
}

/// Runs the test kit's storms, optimised, for there are many.
pub(crate) fn run_soak(root: &Path, from: u64, seeds: u64) -> anyhow::Result<bool> {
    let (from, seeds) = (from.to_string(), seeds.to_string());
    let mut command = Run::new(root).command(&[
        "run",
        "--quiet",
        "--release",
        "--package",
        "myelin-testkit",
        "--bin",
        "soak",
        "--",
        &from,
        &seeds,
    ]);
    if env::var_os("RUST_LOG").is_none() {
        command.env("RUST_LOG", "off");
    }
    Ok(command.status()?.success())
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn fmt(run: &Run<'_>) -> anyhow::Result<Outcome> {
    run.cargo(&["fmt", "--all", "--check"])
}

fn tidy(run: &Run<'_>) -> anyhow::Result<Outcome> {
    Ok(Outcome::from_passed(crate::tidy::run(run.root())?))
}

fn clippy(run: &Run<'_>) -> anyhow::Result<Outcome> {
    run.cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ])
}

fn deny(run: &Run<'_>) -> anyhow::Result<Outcome> {
    if !run.has_cargo("deny") {
        return Ok(run.missing("cargo-deny", "cargo install cargo-deny --locked"));
    }
    run.cargo(&[
        "deny",
        "--workspace",
        "--locked",
        "check",
        "bans",
        "licenses",
        "sources",
    ])
}

fn test(run: &Run<'_>) -> anyhow::Result<Outcome> {
    if run.has_cargo("nextest") {
        let arguments = [
            "nextest",
            "run",
            "--workspace",
            "--locked",
            "--profile",
            "ci",
        ];
        return run.cargo_keeping(&arguments, |line| {
            line.trim_start().starts_with("Summary [")
        });
    }
    println!(
        "cargo-nextest is missing, cargo test takes its place: cargo install cargo-nextest --locked"
    );
    // One at a time, because the kit cannot tell whose error was logged.
    let arguments = ["test", "--workspace", "--locked", "--", "--test-threads=1"];
    run.cargo_keeping(&arguments, |line| {
        line.starts_with("test result:") && !line.contains(" 0 passed; 0 failed")
    })
}

fn doc(run: &Run<'_>) -> anyhow::Result<Outcome> {
    run.cargo(&["doc", "--workspace", "--no-deps", "--locked"])
}

fn fuzz(run: &Run<'_>) -> anyhow::Result<Outcome> {
    if !run.root().join("fuzz/Cargo.toml").exists() {
        return Ok(Outcome::Skipped("there are no fuzz targets".to_owned()));
    }
    if !run.has_cargo("fuzz") {
        return Ok(run.missing("cargo-fuzz", "cargo install cargo-fuzz --locked"));
    }
    let time = format!("-max_total_time={FUZZ_SECONDS}");
    for target in run.lines_of_cargo(&["fuzz", "list"])? {
        // Debug builds, as everywhere here: optimising all dependencies once more costs more
        // minutes than it gains inputs in so short a run.
        let arguments = [
            "fuzz",
            "run",
            "--sanitizer",
            "none",
            "--dev",
            &target,
            "--",
            &time,
            "-verbosity=0",
        ];
        println!("{target}");
        let outcome = run.cargo_quietly(&arguments)?;
        if matches!(outcome, Outcome::Failed(_)) {
            return Ok(outcome);
        }
    }
    Ok(Outcome::Passed(Vec::new()))
}
