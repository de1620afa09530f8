//! The federation API through its door, by peers that tests play and by servers of the test kit.

mod get_server_keys;
mod get_server_version;
