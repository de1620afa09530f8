//! What a part of the benchmark takes: time, processor time, memory.

use std::{
    fs,
    time::{Duration, Instant},
};

/// Reads what this process has taken.
pub(crate) struct Meter {
    started: Instant,
    cpu: Duration,
    resident: usize,
}

/// One row of the table.
pub(crate) struct Row {
    name: &'static str,
    wall: Duration,
    cpu: Duration,
    extra: usize,
    done: (usize, &'static str),
}

impl Meter {
    pub(crate) fn start() -> Self {
        // From now on the peak is that of what comes.
        fs::write("/proc/self/clear_refs", "5").unwrap();
        Self {
            resident: status("VmRSS:"),
            cpu: cpu(),
            started: Instant::now(),
        }
    }

    pub(crate) fn stop(self, name: &'static str, done: (usize, &'static str)) -> Row {
        Row {
            name,
            wall: self.started.elapsed(),
            cpu: cpu().saturating_sub(self.cpu),
            extra: status("VmHWM:").saturating_sub(self.resident),
            done,
        }
    }
}

impl Row {
    pub(crate) fn head() -> &'static str {
        "| Single costs | s | CPU s | processors | MB above idle | in a second of one processor |\n\
         | --- | ---: | ---: | ---: | ---: | ---: |"
    }

    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    pub(crate) fn line(&self) -> String {
        let (wall, cpu) = (self.wall.as_secs_f64(), self.cpu.as_secs_f64());
        let (count, unit) = self.done;
        format!(
            "| {} | {wall:.2} | {cpu:.2} | {:.1} | {:.0} | {:.1} {unit} |",
            self.name,
            cpu / wall,
            self.extra as f64 / 1e6,
            count as f64 / cpu
        )
    }
}

fn status(key: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let kilobytes = line.unwrap().trim().strip_suffix(" kB").unwrap();
    kilobytes.trim().parse::<usize>().unwrap() * 1024
}

/// Processor time of this process, in user and system mode.
fn cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    // The name in brackets may hold anything.
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks = fields.split(' ').skip(11).take(2);
    let ticks: u64 = ticks.map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    // Linux counts in hundredths for all programs, whatever the kernel's own clock.
    Duration::from_millis(10 * ticks)
}
