//! What the system knows of a process: the processor time and memory it has taken.

use std::{fs, time::Duration};

use anyhow::Context;

/// Processor time of one process since its start, in user and system mode.
pub(super) fn cpu(process: u32) -> anyhow::Result<Duration> {
    let stat = Stat::read(&process.to_string())?;
    Ok(seconds(stat.own_ticks))
}

/// Processor time of a process and of all its children, those that have ended included.
pub(super) fn cpu_with_children(process: u32) -> anyhow::Result<Duration> {
    let parent = Stat::read(&process.to_string())?;
    let mut ticks = parent.own_ticks + parent.ended_children_ticks;
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with(|first: char| first.is_ascii_digit()) {
            continue;
        }
        // Any process may end between the listing and the reading.
        if let Ok(stat) = Stat::read(&name)
            && stat.parent == process
        {
            ticks += stat.own_ticks;
        }
    }
    Ok(seconds(ticks))
}

/// Resident memory in MB, and the same with shared pages counted in part (the proportional set).
pub(super) fn memory_mb(process: u32) -> anyhow::Result<(f64, f64)> {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let field = |key: &str| -> anyhow::Result<f64> {
        let line = rollup.lines().find(|line| line.starts_with(key));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        let kibibytes: f64 = number.with_context(|| format!("no {key}"))?.parse()?;
        Ok(kibibytes * 1024.0 / 1e6)
    };
    Ok((field("Rss:")?, field("Pss:")?))
}

struct Stat {
    parent: u32,
    own_ticks: u64,
    ended_children_ticks: u64,
}

impl Stat {
    fn read(process: &str) -> anyhow::Result<Self> {
        let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
        // The name in brackets may hold anything.
        let (_, fields) = text.rsplit_once(") ").context("no name")?;
        let fields: Vec<&str> = fields.split(' ').collect();
        let ticks = |index: usize| -> anyhow::Result<u64> {
            let field = fields.get(index).context("too few fields")?;
            Ok(field.parse()?)
        };
        Ok(Self {
            parent: fields.get(1).context("too few fields")?.parse()?,
            own_ticks: ticks(11)? + ticks(12)?,
            ended_children_ticks: ticks(13)? + ticks(14)?,
        })
    }
}

/// Linux counts in hundredths for all programs, whatever the kernel's own clock.
fn seconds(ticks: u64) -> Duration {
    Duration::from_millis(ticks * 10)
}
