//! Registration.

use myelin_core::server::Server;
use myelin_store::{
    Read, Store, StoreError, WriteSet,
    users::{self, User},
};
use ruma::OwnedUserId;

use crate::{
    AccountSettings, AuthenticateError, LoggedIn, NewDevice, authenticate,
    password::PASSWORD_MAX,
    session,
    shared_secret::UsedNonce,
    uia::{Approval, ApprovalError},
    username::{UsernameError, check_username, new_user_id},
};

/// A wish for an account.
#[derive(Clone, Debug, Default)]
pub struct Register {
    /// The localpart; None: we choose one.
    pub username: Option<String>,
    /// None: nobody can log in again once the first session has ended.
    pub password: Option<String>,
    /// None: register without logging in.
    pub device: Option<NewDevice>,
    /// Whether it may use the admin API.
    pub admin: bool,
    /// The guest who wants a real account under its name.
    pub guest: Option<i64>,
}

/// Why somebody may register.
#[derive(Debug)]
pub enum Permission {
    /// Registration is open and asks for nothing: the API of 2014 knows no further authentication.
    Open,
    /// They did what was asked of them.
    Interactive(Box<Approval>),
    /// They want to be a guest.
    Guest,
    /// They know the shared secret.
    SharedSecret(UsedNonce),
    /// They can write to the database.
    Operator,
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
    /// The operator wants no guests.
    #[error("there are no guests")]
    NoGuests,
    /// The name cannot be a localpart.
    #[error(
        "the user name may hold only a-z, 0-9 and ._=-/+, not begin with _, and the user id at most 255 bytes"
    )]
    InvalidUsername,
    /// The server itself speaks by this name.
    #[error("the user name is reserved")]
    Reserved,
    /// Somebody has, or had, this name.
    #[error("the user name is taken")]
    UserInUse,
    /// The password is longer than we are willing to hash.
    #[error("the password is too long")]
    PasswordTooLong,
    /// The device's id or name is too long.
    #[error("the device id or its display name is too long")]
    InvalidDevice,
    /// The token is not one of a guest with this name.
    #[error("the guest's access token does not belong to a guest of this name")]
    NotThatGuest,
    /// Authentication was done, and then used by another request or revoked.
    #[error("the authentication does not hold any more")]
    NotApproved,
    /// The nonce was used before.
    #[error("the nonce was used before")]
    NonceUsed,
    /// The store failed.
    #[error("the account was not stored")]
    Store(#[from] StoreError),
}

/// Registers an account and logs it in.
pub async fn register(
    server: &Server,
    store: &Store,
    settings: &AccountSettings,
    permission: Permission,
    wish: Register,
) -> Result<Registered, RegisterError> {
    permission.check(settings)?;
    let user = permission.user_id(server, store, settings, &wish).await?;
    if wish
        .device
        .as_ref()
        .is_some_and(|device| !device.is_valid())
    {
        return Err(RegisterError::InvalidDevice);
    }
    let password_hash = match &wish.password {
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
        let mut writes = WriteSet::new();
        let now_ms = server.now_ms();
        let terms_version = permission.redeem(&mut read, &mut writes, now_ms).await?;
        let account = User {
            number,
            user_id: user.to_string(),
            password_hash: password_hash.clone(),
            created_ms: now_ms.cast_signed(),
            admin: wish.admin,
            guest: matches!(permission, Permission::Guest),
            terms_version,
            version: 1,
            ..User::default()
        };
        let known = users::find(&mut read, number).await?;
        write_account(&mut writes, account, known, wish.guest)?;
        let session = match &wish.device {
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

/// The guest whose token this is, if their name is the one that they want to keep.
pub async fn guest_of_token(
    server: &Server,
    store: &Store,
    token: &str,
    username: &str,
) -> Result<i64, RegisterError> {
    let session = match authenticate(store, token, server.now_ms()).await {
        Ok(session) => session,
        Err(AuthenticateError::Unknown | AuthenticateError::Expired) => {
            return Err(RegisterError::NotThatGuest);
        }
        Err(AuthenticateError::Store(error)) => return Err(error.into()),
    };
    if session.guest && session.user.localpart() == username.to_ascii_lowercase() {
        Ok(session.user_number)
    } else {
        Err(RegisterError::NotThatGuest)
    }
}

impl Permission {
    fn check(&self, settings: &AccountSettings) -> Result<(), RegisterError> {
        match self {
            Self::Open if !settings.registration_open() || settings.terms().is_some() => {
                Err(RegisterError::Closed)
            }
            Self::Guest if !settings.guests() => Err(RegisterError::NoGuests),
            Self::Open
            | Self::Guest
            | Self::Interactive(_)
            | Self::SharedSecret(_)
            | Self::Operator => Ok(()),
        }
    }

    async fn user_id(
        &self,
        server: &Server,
        store: &Store,
        settings: &AccountSettings,
        wish: &Register,
    ) -> Result<OwnedUserId, RegisterError> {
        let username = wish.username.as_deref();
        match self {
            // Names that are kept from strangers are kept for the operator.
            Self::Operator | Self::SharedSecret(_) => {
                new_user_id(server, username).ok_or(RegisterError::InvalidUsername)
            }
            Self::Interactive(_) if wish.guest.is_some() => {
                new_user_id(server, username).ok_or(RegisterError::InvalidUsername)
            }
            Self::Guest => Ok(check_username(server, store, settings, None).await?),
            Self::Open | Self::Interactive(_) => {
                Ok(check_username(server, store, settings, username).await?)
            }
        }
    }

    /// Uses the permission up in the set of what it permits. The version of the terms that were
    /// accepted.
    async fn redeem(
        &self,
        read: &mut Read,
        writes: &mut WriteSet,
        now_ms: u64,
    ) -> Result<Option<String>, RegisterError> {
        match self {
            Self::Interactive(approval) => {
                approval.redeem(read, writes, now_ms).await?;
                Ok(approval.terms_version().map(str::to_owned))
            }
            Self::SharedSecret(nonce) => {
                if !nonce.redeem(read, writes, now_ms).await? {
                    return Err(RegisterError::NonceUsed);
                }
                Ok(None)
            }
            Self::Open | Self::Guest | Self::Operator => Ok(None),
        }
    }
}

fn write_account(
    writes: &mut WriteSet,
    account: User,
    known: Option<User>,
    guest: Option<i64>,
) -> Result<(), RegisterError> {
    match known {
        None => users::insert(writes, &account),
        Some(known) if known.guest && guest == Some(known.number) => {
            let upgraded = User {
                created_ms: known.created_ms,
                version: known.version,
                ..account
            };
            users::update(writes, &upgraded);
        }
        Some(_) => return Err(RegisterError::UserInUse),
    }
    Ok(())
}

impl From<UsernameError> for RegisterError {
    fn from(error: UsernameError) -> Self {
        match error {
            UsernameError::Invalid => Self::InvalidUsername,
            UsernameError::Reserved => Self::Reserved,
            UsernameError::InUse => Self::UserInUse,
            UsernameError::Store(error) => Self::Store(error),
        }
    }
}

impl From<ApprovalError> for RegisterError {
    fn from(error: ApprovalError) -> Self {
        match error {
            ApprovalError::Void => Self::NotApproved,
            ApprovalError::Store(error) => Self::Store(error),
        }
    }
}
