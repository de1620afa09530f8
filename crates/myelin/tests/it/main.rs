//! The built binary, and servers in this process, as an administrator meets them.
#![expect(
    clippy::print_stdout,
    reason = "a test that is skipped says so in one line"
)]
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod accounts;
mod config;
mod federation;
mod full_disk;
mod jobs;
mod process;
mod reload;
mod start;
mod stop;
mod tls;
