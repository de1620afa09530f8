//! What an operator decides about accounts.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::password::{PasswordCost, Passwords};

/// Made once at start and shared.
#[derive(Debug)]
pub struct AccountSettings {
    registration_open: AtomicBool,
    pub(crate) passwords: Passwords,
}

impl AccountSettings {
    /// Settings with a pool for password hashing of their own.
    pub fn new(registration_open: bool, cost: PasswordCost) -> Self {
        Self {
            registration_open: AtomicBool::new(registration_open),
            passwords: Passwords::new(cost),
        }
    }

    /// Whether anybody may register: `m.login.dummy` alone is then enough.
    pub fn registration_open(&self) -> bool {
        self.registration_open.load(Ordering::Relaxed)
    }

    /// Opens or closes registration from the next request on.
    pub fn set_registration_open(&self, open: bool) {
        self.registration_open.store(open, Ordering::Relaxed);
    }
}
