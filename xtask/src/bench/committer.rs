//! The store's committer against the bare group-commit loop.

use std::{path::Path, process::Stdio};

use anyhow::{Context, ensure};

use super::{
    cargo,
    report::{median, quantile, table},
};

/// One row of the store's own table.
struct Comparison {
    engine: String,
    writers: String,
    bare: f64,
    committer: f64,
}

impl Comparison {
    /// None for the head of the table, and for an engine that is not installed.
    fn parse(line: &str) -> Option<Self> {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        Some(Self {
            engine: cells.next()?.to_owned(),
            writers: cells.next()?.to_owned(),
            bare: cells.next()?.parse().ok()?,
            committer: cells.next()?.parse().ok()?,
        })
    }

    fn percent(&self) -> f64 {
        self.committer * 100.0 / self.bare
    }
}

/// Runs the store's own benchmark so many times, for one run's ratios scatter widely.
pub(super) fn measure(root: &Path, runs: usize) -> anyhow::Result<String> {
    let tables = (1..=runs).map(|run| {
        let rows = measure_once(root)?;
        println!("committer: run {run} of {runs}");
        Ok(rows)
    });
    let tables = tables.collect::<anyhow::Result<Vec<_>>>()?;
    let count = tables.iter().map(Vec::len).min().unwrap_or_default();
    let rows: Vec<_> = (0..count)
        .map(|row| summary(&tables.iter().map(|rows| &rows[row]).collect::<Vec<_>>()))
        .collect();
    let head = ["Committer", "writers", "bare events/s", "events/s", "ratio"];
    Ok(table(&head, &rows))
}

fn measure_once(root: &Path) -> anyhow::Result<Vec<Comparison>> {
    let arguments = ["bench", "--package", "myelin-store", "--bench", "committer"];
    let mut command = cargo(root, &arguments);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .context("cargo cannot be run")?;
    ensure!(output.status.success(), "{command:?} failed");
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().filter_map(Comparison::parse).collect())
}

/// The median of each figure; the ratio of each run is its own, for both sides ran at that time.
fn summary(runs: &[&Comparison]) -> Vec<String> {
    let all = |figure: fn(&Comparison) -> f64| runs.iter().map(move |run| figure(run));
    let percent = |part| quantile(all(Comparison::percent), part);
    vec![
        runs[0].engine.clone(),
        runs[0].writers.clone(),
        format!("{:.0}", median(all(|run| run.bare))),
        format!("{:.0}", median(all(|run| run.committer))),
        format!(
            "{:.0} % ({:.0}–{:.0})",
            percent(0.5),
            percent(0.0),
            percent(1.0)
        ),
    ]
}
