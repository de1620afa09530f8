//! The sender, seen by the servers that it sends to.

#![expect(clippy::unwrap_used, reason = "everything here is a test")]

mod behind;
mod edus;
mod encryption;
mod joins;
mod many;
mod received_edus;
mod received_encryption;
mod sending;
mod support;
mod to_device_random;
mod two_servers;
