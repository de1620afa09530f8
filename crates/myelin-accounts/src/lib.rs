//! Accounts: registration, login, access tokens, the server's own signing key.
//!
//! The rules live here; the tables in `myelin-store`, HTTP in the API crates. Start reading at
//! [`authenticate()`].

mod authenticate;
mod logout;
mod password;
mod settings;
mod signing_key;

pub use authenticate::{Session, authenticate, can_read, touch};
pub use logout::{logout, logout_all};
pub use password::{PasswordCost, Passwords};
pub use settings::AccountSettings;
pub use signing_key::{ImportedKey, SigningKeyError, find_or_make_signing_key};
