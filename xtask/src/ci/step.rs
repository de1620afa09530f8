//! How a step runs cargo, and what comes of it.

use std::{
    env,
    ffi::OsString,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Context;

pub(super) enum Outcome {
    /// With the lines to repeat at the very end.
    Passed(Vec<String>),
    /// Likewise.
    Failed(Vec<String>),
    /// Why.
    Skipped(String),
}

impl Outcome {
    pub(super) fn from_passed(passed: bool) -> Self {
        if passed {
            Self::Passed(Vec::new())
        } else {
            Self::Failed(Vec::new())
        }
    }

    pub(super) fn word(&self) -> String {
        match self {
            Self::Passed(_) => "passed".to_owned(),
            Self::Failed(_) => "FAILED".to_owned(),
            Self::Skipped(why) => format!("skipped: {why}"),
        }
    }

    pub(super) fn into_closing_lines(self) -> Vec<String> {
        match self {
            Self::Passed(lines) | Self::Failed(lines) => lines,
            Self::Skipped(_) => Vec::new(),
        }
    }
}

/// Where cargo builds, which is where this program lies.
pub(super) fn target_directory() -> anyhow::Result<PathBuf> {
    let program = env::current_exe()?;
    let folder = program.ancestors().nth(2);
    folder
        .map(Path::to_owned)
        .context("this program lies in no build folder")
}

/// What all steps share.
pub(super) struct Run<'a> {
    root: &'a Path,
    cargo: OsString,
    /// Set by build services: there, a missing tool is a failure.
    is_ci: bool,
}

impl<'a> Run<'a> {
    pub(super) fn new(root: &'a Path) -> Self {
        Self {
            root,
            cargo: env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
            is_ci: env::var_os("CI").is_some_and(|value| value == "true"),
        }
    }

    pub(super) fn root(&self) -> &Path {
        self.root
    }

    pub(super) fn has_cargo(&self, subcommand: &str) -> bool {
        let mut command = self.command(&[subcommand, "--version"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// The outcome of a step whose tool is not installed.
    pub(super) fn missing(&self, tool: &str, remedy: &str) -> Outcome {
        if self.is_ci {
            println!("{tool} is missing: {remedy}");
            return Outcome::Failed(Vec::new());
        }
        Outcome::Skipped(format!("{tool} is missing: {remedy}"))
    }

    pub(super) fn cargo(&self, arguments: &[&str]) -> anyhow::Result<Outcome> {
        let status = self
            .command(arguments)
            .status()
            .context("cargo cannot be run")?;
        Ok(Outcome::from_passed(status.success()))
    }

    /// As [`Run::cargo`], but what it prints is only shown if it fails: a fuzzer tells thousands of
    /// lines that nobody reads.
    pub(super) fn cargo_quietly(&self, arguments: &[&str]) -> anyhow::Result<Outcome> {
        let output = self
            .command(arguments)
            .output()
            .context("cargo cannot be run")?;
        if !output.status.success() {
            for stream in [&output.stdout, &output.stderr] {
                println!("{}", String::from_utf8_lossy(stream));
            }
        }
        Ok(Outcome::from_passed(output.status.success()))
    }

    /// As [`Run::cargo`], and keeps the lines from each that `keeps` to be repeated at the end.
    pub(super) fn cargo_keeping(
        &self,
        arguments: &[&str],
        keeps: fn(&str) -> bool,
    ) -> anyhow::Result<Outcome> {
        // One pipe for both streams would need a shell; the runners write their closing lines to
        // one of the two, so the other one passes through.
        let on_stderr = arguments.first() == Some(&"nextest");
        let mut command = self.command(arguments);
        if on_stderr {
            command.stderr(Stdio::piped());
        } else {
            command.stdout(Stdio::piped());
        }
        let mut child = command.spawn().context("cargo cannot be run")?;
        let stream: Box<dyn std::io::Read> = match (child.stdout.take(), child.stderr.take()) {
            (Some(stdout), _) => Box::new(stdout),
            (None, Some(stderr)) => Box::new(stderr),
            (None, None) => Box::new(std::io::empty()),
        };
        let mut kept = Vec::new();
        for line in BufReader::new(stream).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            if keeps(&line) {
                kept.push(line.into_owned());
            }
        }
        Ok(if child.wait()?.success() {
            Outcome::Passed(kept)
        } else {
            Outcome::Failed(kept)
        })
    }

    pub(super) fn lines_of_cargo(&self, arguments: &[&str]) -> anyhow::Result<Vec<String>> {
        let output = self
            .command(arguments)
            .output()
            .context("cargo cannot be run")?;
        anyhow::ensure!(
            output.status.success(),
            "cargo {} failed",
            arguments.join(" ")
        );
        Ok(String::from_utf8(output.stdout)?
            .lines()
            .map(str::to_owned)
            .collect())
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.cargo);
        command.args(arguments).current_dir(self.root);
        if arguments.first() == Some(&"doc") {
            command.env("RUSTDOCFLAGS", "-D warnings");
        }
        command
    }
}
