//! What this server asks of others: signed requests, and the keys that theirs are checked with.
//!
//! Start reading at [`Federation`]. The network itself is handed in as a [`Transport`]; the one of
//! the real world is [`InternetTransport`], and every connection that it makes passes the
//! [`EgressGuard`]. Whoever is no server is asked by [`Outbound`].

mod dialer;
mod discovery;
mod egress;
mod federation;
mod fetch;
mod internet;
mod internet_transport;
mod key_answer;
mod outbound;
mod remote_keys;
mod settings;
#[cfg(test)]
mod test_internet;
mod transport;
mod trust;
mod turns;
mod well_known;
mod x_matrix;

pub use egress::{Denied, EgressGuard};
pub use federation::{Federation, FederationError, Limits, Pieces};
pub use internet::{Internet, LookupError, Pending, Service, Socket, SystemInternet};
pub use internet_transport::InternetTransport;
pub use key_answer::{KeyAnswer, KeyAnswerError, RemoteKey, is_leaked};
pub use outbound::{InternetWeb, Outbound, OutboundError, Web};
pub use remote_keys::{KeyNeed, RemoteKeys};
pub use settings::FederationSettings;
pub use transport::{Body, NoNetwork, Reply, Transport, TransportError};
pub use trust::{Trust, TrustError};
pub use well_known::WellKnown;
pub use x_matrix::{XMatrix, XMatrixError};
