//! Pure Matrix: event formats, hashes, signatures, authorisation, state.
//!
//! Nothing in here does I/O, waits, reads a clock or draws chance; what it needs of those is handed in
//! ([`environment`]). Storage, rooms and wire formats live above. Start reading at [`event`], then [`auth`].

pub mod auth;
pub mod client_event;
pub mod encryption_keys;
pub mod environment;
pub mod event;
mod foreign_base64;
pub mod glob;
pub mod ids;
pub mod invite_permission;
pub mod json;
pub mod membership;
pub mod power;
pub mod push;
pub mod relation;
pub mod resolution;
pub mod server;
pub mod server_acl;
pub mod signing_key;
pub mod snapshot;
pub mod sticky;
pub mod third_party_invite;
pub mod transaction;
pub mod trie;

#[cfg(test)]
mod test_support;
