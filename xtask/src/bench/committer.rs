//! The store's committer against the bare group-commit loop.

use std::{path::Path, process::Stdio};

use anyhow::{Context, ensure};

use super::cargo;

/// Runs the store's own benchmark, which prints a table.
pub(super) fn measure(root: &Path) -> anyhow::Result<String> {
    let arguments = ["bench", "--package", "myelin-store", "--bench", "committer"];
    let mut command = cargo(root, &arguments);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .context("cargo cannot be run")?;
    ensure!(output.status.success(), "{command:?} failed");
    Ok(String::from_utf8(output.stdout)?)
}
