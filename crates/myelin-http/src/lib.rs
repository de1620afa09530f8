//! What every HTTP surface shares: the [`App`], wire errors, authentication, the adapter between
//! ruma's request types and axum, CORS, the request log, and the accept loop.
//!
//! It is not a place for rules of Matrix: a surface's handlers translate, use cases decide. Start
//! reading at [`Routes`], which shows how an endpoint is reached, then at [`finish`].

mod access;
mod app;
mod authentication;
mod body;
mod client_address;
mod endpoint;
mod enforce_limits;
mod error;
mod json_error;
mod layers;
mod peer;
mod query;
mod rate_limits;
mod request_metrics;
mod response;
mod serve;
mod shutdown;
mod streamed;

pub use app::{App, HttpSettings, Support};
pub use authentication::{authenticate, seen_from};
pub use body::parse_json;
pub use client_address::{ClientAddress, Network, NetworkError, PeerAddress};
pub use endpoint::{Client, FromCall, Held, Parse, Public, Raw, Routes, ruma_response};
pub use enforce_limits::LoginAttempt;
pub use error::MatrixError;
pub use layers::finish;
pub use peer::Peer;
pub use query::Query;
pub use rate_limits::{Rate, RateError, RateLimits};
pub use request_metrics::RequestMetrics;
pub use response::json_response;
pub use serve::serve;
pub use shutdown::Shutdown;
pub use streamed::streamed_json;
