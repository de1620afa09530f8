//! The sender, seen by the servers that it sends to.

#![expect(clippy::unwrap_used, reason = "everything here is a test")]

mod behind;
mod edus;
mod many;
mod received_edus;
mod sending;
mod support;
mod two_servers;
