//! What an operator decides about accounts.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
};

use crate::password::{PasswordCost, Passwords};

/// Who may register.
#[derive(Clone, Default)]
pub struct RegistrationSettings {
    /// Anybody may: `m.login.dummy` alone is then enough, or accepting the terms.
    pub open: bool,
    /// Guests may look around.
    pub guests: bool,
    /// What tools that register accounts prove to know; None: there are no such tools.
    pub shared_secret: Option<String>,
    /// What who registers must accept.
    pub terms: Option<Terms>,
    /// Localparts that nobody may register, because the server speaks through them.
    pub reserved: Vec<String>,
}

/// The terms of service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What they are called.
    pub name: String,
    /// Where they stand.
    pub url: String,
    /// Which version of them.
    pub version: String,
}

impl fmt::Debug for RegistrationSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RegistrationSettings")
            .field("open", &self.open)
            .field("guests", &self.guests)
            .field("terms", &self.terms)
            .finish_non_exhaustive()
    }
}

/// Made once at start and shared.
#[derive(Debug)]
pub struct AccountSettings {
    registration_open: AtomicBool,
    registration: RegistrationSettings,
    pub(crate) passwords: Passwords,
}

impl AccountSettings {
    /// Settings with a pool for password hashing of their own.
    pub fn new(registration: RegistrationSettings, cost: PasswordCost) -> Self {
        Self {
            registration_open: AtomicBool::new(registration.open),
            registration,
            passwords: Passwords::new(cost),
        }
    }

    /// Whether anybody may register.
    pub fn registration_open(&self) -> bool {
        self.registration_open.load(Ordering::Relaxed)
    }

    /// Opens or closes registration from the next request on.
    pub fn set_registration_open(&self, open: bool) {
        self.registration_open.store(open, Ordering::Relaxed);
    }

    /// Whether guests may look around.
    pub fn guests(&self) -> bool {
        self.registration.guests
    }

    /// The terms that who registers must accept.
    pub fn terms(&self) -> Option<&Terms> {
        self.registration.terms.as_ref()
    }

    pub(crate) fn shared_secret(&self) -> Option<&str> {
        self.registration.shared_secret.as_deref()
    }

    pub(crate) fn is_reserved(&self, localpart: &str) -> bool {
        self.registration
            .reserved
            .iter()
            .any(|name| name == localpart)
    }
}
