//! What an operator decides about accounts.

use crate::password::{PasswordCost, Passwords};

/// Made once at start and shared.
#[derive(Debug)]
pub struct AccountSettings {
    /// Whether anybody may register: `m.login.dummy` alone is then enough.
    pub registration_open: bool,
    /// The pool that hashes passwords.
    pub passwords: Passwords,
}

impl AccountSettings {
    /// Settings with a pool for password hashing of their own.
    pub fn new(registration_open: bool, cost: PasswordCost) -> Self {
        Self {
            registration_open,
            passwords: Passwords::new(cost),
        }
    }
}
