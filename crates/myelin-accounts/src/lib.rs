//! Accounts: registration, login, access tokens, the server's own signing key.
//!
//! The rules live here; the tables in `myelin-store`, HTTP in the API crates. Start reading at
//! [`register()`] and [`login()`].

mod account_data;
mod authenticate;
mod filter;
mod login;
mod logout;
mod openid;
mod password;
mod profile;
mod push_rules;
mod register;
mod session;
mod settings;
mod signing_key;
mod tags;

pub use account_data::{
    AccountDataError, AccountDataPlace, delete_account_data, get_account_data, ignored_users,
    set_account_data,
};
pub use authenticate::{Session, authenticate, can_read, touch};
pub use filter::{CreateFilterError, create_filter, find_filter};
pub use login::{Login, LoginError, login};
pub use logout::{logout, logout_all};
pub use openid::{OPENID_TOKEN_LIFETIME, find_openid_user, request_openid_token};
pub use password::PasswordCost;
pub use profile::{ProfileError, get_profile, set_profile_field};
pub use push_rules::{push_rules, shown_push_rules};
pub use register::{Register, RegisterError, Registered, check_username, register};
pub use session::{LoggedIn, NewDevice};
pub use settings::AccountSettings;
pub use signing_key::{ImportedKey, SigningKeyError, find_or_make_signing_key};
pub use tags::{RoomTag, TagError, create_tag, delete_tag, get_tags};
