//! What an operator decides about what other servers are told.

/// Settings of the federation API.
#[derive(Clone, Debug, Default)]
pub struct FederationApiSettings {
    /// Whether other servers may see the directory of public rooms.
    pub public_rooms: bool,
}
