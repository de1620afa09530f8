//! What this server asks of others: signed requests, and the keys that theirs are checked with.
//!
//! Start reading at [`Federation`]. The network itself is handed in as a [`Transport`].

mod federation;
mod remote_keys;
mod transport;
mod x_matrix;

pub use federation::{Federation, FederationError, FederationSettings, Limits, Pieces};
pub use remote_keys::{KeyNeed, RemoteKeys};
pub use transport::{Body, NoNetwork, Reply, Transport, TransportError};
pub use x_matrix::{XMatrix, XMatrixError};
