//! The built binary, and servers in this process, as an administrator meets them.

mod config;
mod process;
mod reload;
mod start;
mod stop;
mod tls;
