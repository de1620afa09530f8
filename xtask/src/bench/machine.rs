//! The machine on which the figures were taken.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::FileExt,
    path::Path,
    process::Command,
    time::Instant,
};

use anyhow::Context;

use super::{
    report::{median, quantile},
    server::work_dir,
};

const FLUSHES: usize = 300;

/// Lines on processors, memory, kernel, disk, build and date.
pub(super) fn describe(root: &Path) -> anyhow::Result<String> {
    let processors = std::thread::available_parallelism()?;
    let model = line_of("/proc/cpuinfo", "model name")?;
    let memory: f64 = line_of("/proc/meminfo", "MemTotal")?
        .trim_end_matches(" kB")
        .parse()?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let (typical, slow) = flush_ms()?;
    let commit = first_line(Command::new("git").current_dir(root).args([
        "rev-parse",
        "--short=10",
        "HEAD",
    ]))?;
    let date = first_line(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
    Ok(format!(
        "Taken on {date} at commit {commit}: {processors} processors ({model}), {:.0} GB of memory, \
         Linux {}, and a disk that flushes a 4 KiB write in {typical:.2} ms (median of {FLUSHES}; \
         99 % in {slow:.2} ms). The load generator ran on the same machine.\n",
        memory / 1e6,
        kernel.trim()
    ))
}

fn line_of(file: &str, key: &str) -> anyhow::Result<String> {
    let text = fs::read_to_string(file)?;
    let line = text.lines().find(|line| line.starts_with(key));
    let value = line.and_then(|line| line.split_once(':'));
    let (_, value) = value.with_context(|| format!("{file}: no {key}"))?;
    Ok(value.trim().to_owned())
}

fn first_line(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output()?;
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Median and 99 % of the time to overwrite 4 KiB and flush them, as a log in use does.
fn flush_ms() -> anyhow::Result<(f64, f64)> {
    let folder = work_dir()?;
    let mut file = File::create(folder.path().join("flush"))?;
    file.write_all(&vec![0; 1 << 20])?;
    file.sync_all()?;
    let mut times = Vec::new();
    for number in 0..FLUSHES as u64 {
        let started = Instant::now();
        file.write_all_at(&[1; 4096], number % 256 * 4096)?;
        file.sync_data()?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    Ok((median(times.iter().copied()), quantile(times, 0.99)))
}
