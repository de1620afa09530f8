//! The binary: configuration, command line, wiring and shutdown. It decides nothing about Matrix.
//!
//! Start reading at [`config::load`], then at [`run`], which makes a server of a configuration.

mod chores;
pub mod cli;
pub mod config;
mod listening;
mod logging;
mod metrics;
mod network;
mod operator;
mod password;
mod process_file;
mod serve;
mod server;
mod system;
mod tls;
mod welcome;

pub use server::{Environment, Running, run};
pub use system::{SystemChance, SystemClock};
