//! The names and sockets of the world outside, as they are handed in.

mod hosts_file;
mod system;

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
};

use tokio::io::{AsyncRead, AsyncWrite};

pub use system::SystemInternet;

/// What the methods of [`Internet`] give.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A connection's bytes.
pub trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

/// Names and sockets. Who asks limits how long it may take.
pub trait Internet: Send + Sync {
    /// The addresses of a host, whose name is not an address itself; none if there is no such host.
    fn addresses<'a>(&'a self, host: &'a str) -> Pending<'a, Result<Vec<IpAddr>, LookupError>>;

    /// The SRV records of a name, in any order; none if there are none.
    fn services<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Vec<Service>, LookupError>>;

    /// A TCP connection.
    fn connect(&self, address: SocketAddr) -> Pending<'_, io::Result<Box<dyn Socket>>>;
}

/// An SRV record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Those of the lowest are tried first.
    pub priority: u16,
    /// How often it is tried before the others of its priority.
    pub weight: u16,
    /// Its port.
    pub port: u16,
    /// Its name, without the dot at the end; empty: there is decidedly no such service.
    pub host: String,
}

/// A name could not be looked up, which does not mean that there is nothing.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{name} cannot be looked up: {reason}")]
pub struct LookupError {
    /// What was asked for.
    pub name: String,
    /// What the resolver says.
    pub reason: String,
}
