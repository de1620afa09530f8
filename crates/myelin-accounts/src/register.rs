//! Registration.

use myelin_core::server::Server;
use myelin_store::{
    Store, StoreError, WriteSet,
    users::{self, User},
};
use ruma::{OwnedUserId, UserId};

use crate::{AccountSettings, LoggedIn, NewDevice, session};

/// The specification's limit for a whole user id, in bytes.
const USER_ID_MAX: usize = 255;
/// Letters of a localpart that we choose.
const RANDOM_LOCALPART_LENGTH: usize = 18;
/// Hashing takes time in proportion to the length.
pub(crate) const PASSWORD_MAX: usize = 1024;

/// A wish for an account.
#[derive(Clone, Debug)]
pub struct Register {
    /// The localpart; None: we choose one.
    pub username: Option<String>,
    /// None: nobody can log in again once the first session has ended (the API of 2014 has it).
    pub password: Option<String>,
    /// None: register without logging in.
    pub device: Option<NewDevice>,
}

/// A new account.
#[derive(Clone, Debug)]
pub struct Registered {
    /// Its user id.
    pub user: OwnedUserId,
    /// Its first session, if one was wanted.
    pub session: Option<LoggedIn>,
}

/// Why there is no new account.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The operator lets nobody register.
    #[error("registration is closed")]
    Closed,
    /// The name cannot be a localpart.
    #[error("the user name may hold only a-z, 0-9 and ._=-/+, and the user id at most 255 bytes")]
    InvalidUsername,
    /// Somebody has, or had, this name.
    #[error("the user name is taken")]
    UserInUse,
    /// The password is longer than we are willing to hash.
    #[error("the password is too long")]
    PasswordTooLong,
    /// The device's id or name is too long.
    #[error("the device id or its display name is too long")]
    InvalidDevice,
    /// The store failed.
    #[error("the account was not stored")]
    Store(#[from] StoreError),
}

/// Registers an account and logs it in.
pub async fn register(
    server: &Server,
    store: &Store,
    settings: &AccountSettings,
    register: Register,
) -> Result<Registered, RegisterError> {
    let user = check_username(server, store, settings, register.username.as_deref()).await?;
    if register
        .device
        .as_ref()
        .is_some_and(|device| !device.is_valid())
    {
        return Err(RegisterError::InvalidDevice);
    }
    let password_hash = match &register.password {
        Some(password) if password.len() > PASSWORD_MAX => {
            return Err(RegisterError::PasswordTooLong);
        }
        Some(password) => Some(settings.passwords.hash(password, server.random()).await),
        None => None,
    };
    let number = store.intern(&[user.as_bytes()]).await?[0];
    let mut attempts = store.attempts();
    loop {
        let mut read = store.read();
        if users::find(&mut read, number).await?.is_some() {
            return Err(RegisterError::UserInUse);
        }
        let mut writes = WriteSet::new();
        let account = User {
            number,
            user_id: user.to_string(),
            password_hash: password_hash.clone(),
            created_ms: server.now_ms().cast_signed(),
            deactivated_ms: None,
            admin: false,
            guest: false,
            version: 1,
        };
        users::insert(&mut writes, &account);
        let session = match &register.device {
            Some(device) => {
                let owner = (&user, number);
                Some(session::start(server, &mut read, &mut writes, owner, device).await?)
            }
            None => None,
        };
        if attempts.commit(writes).await?.is_some() {
            return Ok(Registered { user, session });
        }
    }
}

/// The user id that registering with this name would give, if it can: the specification wants the
/// checks before User-Interactive Authentication as well as after it.
pub async fn check_username(
    server: &Server,
    store: &Store,
    settings: &AccountSettings,
    username: Option<&str>,
) -> Result<OwnedUserId, RegisterError> {
    if !settings.registration_open() {
        return Err(RegisterError::Closed);
    }
    let user = user_id(server, username).ok_or(RegisterError::InvalidUsername)?;
    if let Some(number) = store.find_interned(user.as_bytes()).await?
        && users::find(&mut store.read(), number).await?.is_some()
    {
        return Err(RegisterError::UserInUse);
    }
    Ok(user)
}

/// Upper case is folded: two names that differ in case only would be a trap for people.
fn user_id(server: &Server, username: Option<&str>) -> Option<OwnedUserId> {
    let localpart = match username {
        Some(username) => username.to_ascii_lowercase(),
        None => server
            .random_letters(RANDOM_LOCALPART_LENGTH)
            .to_ascii_lowercase(),
    };
    let is_allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._=-/+".contains(&byte);
    if localpart.is_empty() || !localpart.bytes().all(is_allowed) {
        return None;
    }
    let user_id = format!("@{localpart}:{}", server.name);
    if user_id.len() > USER_ID_MAX {
        return None;
    }
    UserId::parse(user_id).ok()
}
