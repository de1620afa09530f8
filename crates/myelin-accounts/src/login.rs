//! Login, by password or by a token that logs in once.

use myelin_core::server::Server;
use myelin_store::{
    Store, StoreError, WriteSet, login_tokens,
    users::{self, User},
};

use crate::{
    AccountSettings, LoggedIn, LoginName, NewDevice,
    account::{find_user, user_id},
    authenticate::hash_token,
    password::PASSWORD_MAX,
    session,
};

/// A wish for a session.
#[derive(Clone, Debug)]
pub struct Login {
    /// What opens the account.
    pub credentials: Credentials,
    /// The device.
    pub device: NewDevice,
}

/// What opens an account.
#[derive(Clone)]
pub enum Credentials {
    /// A name and a password.
    Password {
        /// Whose.
        name: LoginName,
        /// The password.
        password: String,
    },
    /// A token of [`crate::make_login_token`].
    Token(String),
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// No such user, no password, or another one, or no such token: nobody is told which.
    #[error("the user name or the password is wrong")]
    Refused,
    /// The account was deactivated; only said to who knows its password.
    #[error("the account was deactivated")]
    Deactivated,
    /// The account is locked; only said to who knows its password.
    #[error("the account is locked")]
    Locked,
    /// The device's id or name is too long.
    #[error("the device id or its display name is too long")]
    InvalidDevice,
    /// The store failed.
    #[error("the session was not stored")]
    Store(#[from] StoreError),
}

/// Begins a session if the credentials are right.
pub async fn login(
    server: &Server,
    store: &Store,
    settings: &AccountSettings,
    login: Login,
) -> Result<LoggedIn, LoginError> {
    if !login.device.is_valid() {
        return Err(LoginError::InvalidDevice);
    }
    // A token opens the account once, however often the session is tried.
    let taken = match &login.credentials {
        Credentials::Token(token) => Some(take(server, store, token).await?),
        Credentials::Password { .. } => None,
    };
    let mut attempts = store.attempts();
    loop {
        let account = match (&login.credentials, taken) {
            (Credentials::Password { name, password }, _) => {
                find_by_password(server, store, settings, name, password).await?
            }
            (Credentials::Token(_), number) => {
                let number = number.ok_or(LoginError::Refused)?;
                let account = users::find(&mut store.read(), number).await?;
                account.ok_or(LoginError::Refused)?
            }
        };
        check_state(&account)?;

        let mut writes = WriteSet::new();
        // A password that is changed meanwhile must not let the old one in.
        users::expect(&mut writes, &account);
        let user = user_id(&account)?;
        let owner = (&user, account.number);
        let session =
            session::start(server, &mut store.read(), &mut writes, owner, &login.device).await?;
        if attempts.commit(writes).await?.is_some() {
            return Ok(session);
        }
    }
}

/// The one gate that every way to log in leads through.
fn check_state(account: &User) -> Result<(), LoginError> {
    if account.deactivated_ms.is_some() {
        Err(LoginError::Deactivated)
    } else if account.locked {
        Err(LoginError::Locked)
    } else {
        Ok(())
    }
}

async fn find_by_password(
    server: &Server,
    store: &Store,
    settings: &AccountSettings,
    name: &LoginName,
    password: &str,
) -> Result<User, LoginError> {
    if password.len() > PASSWORD_MAX {
        return Err(LoginError::Refused);
    }
    let account = match name {
        LoginName::User(name) => find_user(server, store, name).await?,
        LoginName::Address => None,
    };
    if !settings
        .passwords
        .is_right(server, account.as_ref(), password)
        .await
    {
        return Err(LoginError::Refused);
    }
    account.ok_or(LoginError::Refused)
}

/// Takes a login token: one request gets it, on whatever node.
async fn take(server: &Server, store: &Store, token: &str) -> Result<i64, LoginError> {
    let mut writes = WriteSet::new();
    let index = login_tokens::take(&mut writes, &hash_token(token));
    let committed = store.commit(writes).await?;
    let Some(Some(row)) = committed.taken.get(index) else {
        return Err(LoginError::Refused);
    };
    let token = login_tokens::from_taken(row)?;
    if server.now_ms().cast_signed() < token.expires_ms {
        Ok(token.user_number)
    } else {
        Err(LoginError::Refused)
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Password { name, .. } => formatter
                .debug_struct("Password")
                .field("name", name)
                .finish_non_exhaustive(),
            Self::Token(_) => formatter.debug_struct("Token").finish_non_exhaustive(),
        }
    }
}
