//! What single things cost, by the benchmark of `myelin-testkit`.

use std::{path::Path, process::Stdio};

use anyhow::{Context, ensure};

use super::cargo;

/// Runs it once: its table.
pub(super) fn measure(root: &Path) -> anyhow::Result<String> {
    let package = ["--package", "myelin-testkit"];
    let mut command = cargo(root, &["bench", "--bench", "costs"]);
    let output = command
        .args(package)
        .stderr(Stdio::inherit())
        .output()
        .context("cargo cannot be run")?;
    ensure!(output.status.success(), "{command:?} failed");
    let text = String::from_utf8(output.stdout)?;
    let rows = text.lines().filter(|line| line.starts_with('|'));
    Ok(rows.flat_map(|row| [row, "\n"]).collect())
}
