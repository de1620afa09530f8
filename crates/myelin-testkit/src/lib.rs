//! Servers, users, time and chance for tests.
//!
//! Not for the shipped binary. Start reading at [`three_modes!`](crate::three_modes), which turns
//! one test body into three tests, then at [`TestServer`] and [`User`].

#![expect(
    clippy::missing_panics_doc,
    reason = "a test fails by a panic, anywhere in here"
)]

mod answer;
mod bodies;
mod cost;
mod coverage;
mod crowd;
mod environment;
mod hosted_room;
mod logs;
mod modes;
mod network;
mod nodes;
mod peer;
mod peer_host;
mod peer_room;
pub mod proxy;
mod server;
mod simulation;
mod user;
mod wait;

pub use answer::{Answer, Measured, encode, text};
pub use bodies::{dripping, held_until, in_pieces, silent_after};
pub use cost::least_cost;
pub use coverage::Coverage;
pub use crowd::{crowded_room, fill_room, make_accounts};
pub use environment::{SeededChance, TestClock};
pub use hosted_room::HostedRoom;
pub use modes::{run, run_federated};
pub use network::{Network, Weather};
pub use peer::{Peer, Received};
pub use peer_host::{PeerHost, Stage};
pub use peer_room::{PeerEvent, PeerRoom, pdu};
pub use server::{Mode, SERVER_NAME, TestServer, TestSettings};
pub use simulation::{Course, let_pass, simulate, simulate_federation, simulate_nodes};
pub use user::{PASSWORD, User};
pub use wait::wait_until;
