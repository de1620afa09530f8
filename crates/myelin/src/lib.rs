//! The binary: configuration, command line, wiring and shutdown. It decides nothing about Matrix.
//!
//! Start reading at [`cli::main`], then [`config::load`].

pub mod cli;
pub mod config;
