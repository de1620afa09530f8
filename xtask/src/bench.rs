//! Benchmarks, written into `docs/dev/performance.md` between its markers.
//!
//! Times depend on the machine, so nothing here passes or fails; the report says which aims hold.

mod committer;
mod costs;
mod load;
mod machine;
mod process;
mod report;
mod server;

use std::{path::Path, process::Command};

use anyhow::{Context, ensure};

use report::Report;

/// What there is, in the order of the report.
const PARTS: [&str; 3] = ["committer", "costs", "server"];

/// Runs the parts named, or all, each measurement so many times.
pub(crate) fn run(root: &Path, wanted: &[String], runs: usize) -> anyhow::Result<bool> {
    for name in wanted {
        ensure!(
            PARTS.contains(&name.as_str()),
            "no part {name}: there are {}",
            PARTS.join(", ")
        );
    }
    ensure!(runs > 0, "nothing is measured in no runs");
    let is_wanted = |part: &str| wanted.is_empty() || wanted.iter().any(|name| name == part);
    let mut report = Report::open(root)?;
    if is_wanted("committer") {
        report.replace("committer", &committer::measure(root, runs)?)?;
    }
    if is_wanted("costs") {
        report.replace("costs", &costs::measure(root)?)?;
    }
    if is_wanted("server") {
        let measured = server::measure(root, runs)?;
        report.replace("machine", &machine::describe(root)?)?;
        report.replace("aims", &server::aims(&measured))?;
        report.replace("server", &server::tables(&measured))?;
    }
    report.save()?;
    Ok(true)
}

fn cargo(root: &Path, arguments: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(root);
    command
}

/// Fails if the command does.
fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let status = command
        .status()
        .with_context(|| format!("{command:?} cannot be run"))?;
    ensure!(status.success(), "{command:?} failed");
    Ok(())
}
