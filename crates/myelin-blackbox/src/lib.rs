//! The server as a process that is started, talked to and killed, for tests and benchmarks.
//!
//! Nothing here knows how the server is made: it is a binary, a data folder and a port. Start
//! reading at [`ServerProcess`]; [`User`] speaks the client-server API over a [`Connection`], which
//! blocks and costs little, so that a load generator takes less of the machine than the server.

mod http;
mod relay;
mod server;
mod user;
mod wait;

pub use http::{Answer, Connection};
pub use relay::Relay;
pub use server::{ServerOptions, ServerProcess};
pub use user::{User, encode};
pub use wait::until;

/// Whether a build service runs this: there, a missing tool is a failure.
pub fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true")
}
