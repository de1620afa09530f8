//! The federation API through its door, by peers that tests play and by servers of the test kit.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod coverage;
mod get_server_keys;
mod get_server_version;
mod received_events;
