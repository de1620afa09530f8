//! The network as it is handed in: a request to a server goes out, its answer comes back.

use std::{future::Future, pin::Pin};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use ruma::ServerName;

/// The body of an answer, as it comes in.
pub type Body = UnsyncBoxBody<Bytes, TransportError>;

/// What [`Transport::send`] gives.
pub type Reply<'a> =
    Pin<Box<dyn Future<Output = Result<Response<Body>, TransportError>> + Send + 'a>>;

/// Carries requests to other servers. The binary's finds out where a server is and connects to it;
/// the test kit's hands the request to a router in the same process.
pub trait Transport: Send + Sync {
    /// Sends a request, whose address is a path and perhaps a query, to the server of this name.
    /// Who calls it limits the time and the size of the answer.
    fn send<'a>(&'a self, destination: &'a ServerName, request: Request<Bytes>) -> Reply<'a>;
}

/// Why no answer came, or none that is whole.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TransportError {
    /// No connection could be made.
    #[error("cannot reach {server}: {reason}")]
    Unreachable {
        /// The server that was asked.
        server: String,
        /// What failed, for the log of an operator.
        reason: String,
    },
    /// The connection ended before the answer did.
    #[error("the answer was broken off: {0}")]
    BrokenOff(String),
}

/// A network without servers.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoNetwork;

impl Transport for NoNetwork {
    fn send<'a>(&'a self, destination: &'a ServerName, _: Request<Bytes>) -> Reply<'a> {
        let error = TransportError::Unreachable {
            server: destination.to_string(),
            reason: "there is no network".to_owned(),
        };
        Box::pin(std::future::ready(Err(error)))
    }
}
