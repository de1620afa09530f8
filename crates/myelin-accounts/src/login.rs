//! Login by password.

use myelin_core::server::Server;
use myelin_store::{
    Store, StoreError, StoreResult, WriteSet,
    users::{self, User},
};
use ruma::{OwnedUserId, UserId};

use crate::{AccountSettings, LoggedIn, NewDevice, register::PASSWORD_MAX, session};

/// A wish for a session.
#[derive(Clone, Debug)]
pub struct Login {
    /// A localpart or a whole user id.
    pub user: String,
    /// The password.
    pub password: String,
    /// The device.
    pub device: NewDevice,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// No such user, no password, or another one: nobody is told which.
    #[error("the user name or the password is wrong")]
    Refused,
    /// The account was deactivated; only said to who knows its password.
    #[error("the account was deactivated")]
    Deactivated,
    /// The device's id or name is too long.
    #[error("the device id or its display name is too long")]
    InvalidDevice,
    /// The store failed.
    #[error("the session was not stored")]
    Store(#[from] StoreError),
}

/// Begins a session if the password is right.
pub async fn login(
    server: &Server,
    store: &Store,
    settings: &AccountSettings,
    login: Login,
) -> Result<LoggedIn, LoginError> {
    if !login.device.is_valid() {
        return Err(LoginError::InvalidDevice);
    }
    if login.password.len() > PASSWORD_MAX {
        return Err(LoginError::Refused);
    }
    let mut attempts = store.attempts();
    loop {
        let account = find_account(server, store, &login.user).await?;
        check_password(server, settings, account.as_ref(), &login.password).await?;
        let account = account.ok_or(LoginError::Refused)?;
        if account.deactivated_ms.is_some() {
            return Err(LoginError::Deactivated);
        }
        let user = UserId::parse(account.user_id.as_str()).map_err(|_| LoginError::Refused)?;

        let mut writes = WriteSet::new();
        // A password that is changed meanwhile must not let the old one in.
        users::expect(&mut writes, &account);
        let owner = (&user, account.number);
        let session =
            session::start(server, &mut store.read(), &mut writes, owner, &login.device).await?;
        if attempts.commit(writes).await?.is_some() {
            return Ok(session);
        }
    }
}

async fn check_password(
    server: &Server,
    settings: &AccountSettings,
    account: Option<&User>,
    password: &str,
) -> Result<(), LoginError> {
    let hash = account.and_then(|account| account.password_hash.as_deref());
    let is_right = if let Some(hash) = hash {
        settings.passwords.verify(password, hash).await
    } else {
        // As much work as for a real account, so that time does not tell who exists.
        settings.passwords.hash(password, server.random()).await;
        false
    };
    if is_right {
        Ok(())
    } else {
        Err(LoginError::Refused)
    }
}

/// The account of this name, else of the same name in lower case.
async fn find_account(server: &Server, store: &Store, name: &str) -> StoreResult<Option<User>> {
    let lower = name.to_ascii_lowercase();
    let mut candidates = vec![name];
    if lower != name {
        candidates.push(&lower);
    }
    for candidate in candidates {
        let Some(user) = local_user_id(server, candidate) else {
            continue;
        };
        if let Some(number) = store.find_interned(user.as_bytes()).await?
            && let Some(account) = users::find(&mut store.read(), number).await?
        {
            return Ok(Some(account));
        }
    }
    Ok(None)
}

fn local_user_id(server: &Server, name: &str) -> Option<OwnedUserId> {
    let user = if name.starts_with('@') {
        UserId::parse(name).ok()?
    } else {
        UserId::parse(format!("@{name}:{}", server.name)).ok()?
    };
    server.is_local(&user).then_some(user)
}
