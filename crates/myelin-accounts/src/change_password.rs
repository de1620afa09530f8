//! Another password.

use myelin_core::server::Server;
use myelin_store::{
    Store, StoreError, WriteSet,
    users::{self, User},
};
use ruma::OwnedDeviceId;

use crate::{
    AccountSettings,
    account::get_user,
    logout::{list_others, logout_others},
    password::PASSWORD_MAX,
    removal::remove,
    uia::{self, Approval, ApprovalError},
};

/// A wish for another password.
#[derive(Clone)]
pub struct ChangePassword {
    /// Who is logged in.
    pub user_number: i64,
    /// On which device, which stays logged in.
    pub device: OwnedDeviceId,
    /// The new password.
    pub new_password: String,
    /// Whether the other devices are removed.
    pub logout_devices: bool,
}

/// Why the password stays.
#[derive(Debug, thiserror::Error)]
pub enum ChangePasswordError {
    /// It is empty, and so no secret.
    #[error("the password is empty")]
    Empty,
    /// It is longer than we are willing to hash.
    #[error("the password is too long")]
    TooLong,
    /// Authentication was done, and then used by another request or revoked.
    #[error("the authentication does not hold any more")]
    NotApproved,
    /// The store failed.
    #[error("the password was not stored")]
    Store(#[from] StoreError),
}

/// Changes the password of who is logged in.
pub async fn change_password(
    server: &Server,
    store: &Store,
    settings: &AccountSettings,
    approval: &Approval,
    change: &ChangePassword,
) -> Result<(), ChangePasswordError> {
    let hash = hash(server, settings, &change.new_password).await?;
    let kept = Some(&*change.device);
    let mut attempts = store.attempts();
    loop {
        let mut writes = WriteSet::new();
        let account = approval
            .redeem(&mut store.read(), &mut writes, server.now_ms())
            .await?;
        let account = account.ok_or(ChangePasswordError::NotApproved)?;
        let changed = User {
            password_hash: Some(hash.clone()),
            ..account
        };
        users::update(&mut writes, &changed);
        uia::end_all(store, &mut writes, change.user_number, Some(approval)).await?;
        if change.logout_devices {
            let others = list_others(store, change.user_number, kept).await?;
            let mut read = store.read();
            remove(&mut read, &mut writes, change.user_number, &others).await?;
        }
        if attempts.commit(writes).await?.is_some() {
            break;
        }
    }
    if change.logout_devices {
        // Those beyond one set's size, and whoever logged in by the old password between our look
        // at the devices and the commit; after it, nobody can.
        logout_others(store, change.user_number, kept).await?;
    }
    Ok(())
}

/// Sets a password without asking for the old one, and ends all sessions; for who operates the
/// server.
pub async fn set_password(
    server: &Server,
    store: &Store,
    settings: &AccountSettings,
    user_number: i64,
    new_password: &str,
) -> Result<(), ChangePasswordError> {
    let hash = hash(server, settings, new_password).await?;
    let mut attempts = store.attempts();
    loop {
        let mut writes = WriteSet::new();
        let account = get_user(&mut store.read(), user_number).await?;
        let changed = User {
            password_hash: Some(hash.clone()),
            ..account
        };
        users::update(&mut writes, &changed);
        uia::end_all(store, &mut writes, user_number, None).await?;
        if attempts.commit(writes).await?.is_some() {
            break;
        }
    }
    logout_others(store, user_number, None).await?;
    Ok(())
}

async fn hash(
    server: &Server,
    settings: &AccountSettings,
    password: &str,
) -> Result<String, ChangePasswordError> {
    if password.is_empty() {
        return Err(ChangePasswordError::Empty);
    }
    if password.len() > PASSWORD_MAX {
        return Err(ChangePasswordError::TooLong);
    }
    Ok(settings.passwords.hash(password, server.random()).await)
}

impl From<ApprovalError> for ChangePasswordError {
    fn from(error: ApprovalError) -> Self {
        match error {
            ApprovalError::Void => Self::NotApproved,
            ApprovalError::Store(error) => Self::Store(error),
        }
    }
}
