//! Locking, suspending and promoting accounts.
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#account-moderation)

use myelin_core::server::Server;
use myelin_store::{
    Store, StoreError, StoreResult, WriteSet, rate_limit_exemptions, sessions,
    users::{self, User},
};
use ruma::UserId;

use crate::account::get_user;

/// What an operator can do to an account and take back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restriction {
    /// Nothing works but logging out.
    Lock,
    /// The user may read, but not speak.
    Suspend,
}

/// Who wants to look at, or restrict, whose account.
#[derive(Clone, Copy, Debug)]
pub struct Moderated<'a> {
    /// Who asks: the interned number of the user.
    pub moderator: i64,
    /// Whether they are an administrator of this server.
    pub is_admin: bool,
    /// Whose account it is.
    pub target: &'a UserId,
}

/// Why an account is not shown, or stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum ModerationError {
    /// Who asks is no administrator. Looked at first, so that nobody else learns who exists.
    #[error("only administrators of the server may do this")]
    NotAdmin,
    /// The user belongs to another server.
    #[error("the user belongs to another server")]
    NotLocal,
    /// There is no such account, or it was deactivated.
    #[error("there is no such account")]
    NotFound,
    /// The account is the asking administrator's own, or another administrator's.
    #[error("accounts of administrators cannot be restricted")]
    IsAdmin,
    /// The store failed.
    #[error("the account was not changed")]
    Store(#[from] StoreError),
}

/// Whether an account is restricted.
pub async fn moderated(
    server: &Server,
    store: &Store,
    moderated: Moderated<'_>,
    restriction: Restriction,
) -> Result<bool, ModerationError> {
    let account = find(server, store, moderated).await?;
    if account.admin && account.number != moderated.moderator {
        return Err(ModerationError::IsAdmin);
    }
    Ok(match restriction {
        Restriction::Lock => account.locked,
        Restriction::Suspend => account.suspended,
    })
}

/// Restricts an account, or lifts the restriction.
pub async fn restrict(
    server: &Server,
    store: &Store,
    moderated: Moderated<'_>,
    restriction: Restriction,
    is_restricted: bool,
) -> Result<(), ModerationError> {
    let account = find(server, store, moderated).await?;
    if account.admin {
        return Err(ModerationError::IsAdmin);
    }
    restrict_by_operator(store, account.number, restriction, is_restricted).await?;
    Ok(())
}

/// Restricts an account, or lifts the restriction; for who operates the server.
pub async fn restrict_by_operator(
    store: &Store,
    user_number: i64,
    restriction: Restriction,
    is_restricted: bool,
) -> StoreResult<()> {
    change(store, user_number, |account| match restriction {
        Restriction::Lock => account.locked = is_restricted,
        Restriction::Suspend => account.suspended = is_restricted,
    })
    .await
}

/// Makes an account an administrator's, or not any more; for who operates the server. An
/// administrator cannot be restricted, so the restrictions of who becomes one are lifted.
pub async fn set_admin(store: &Store, user_number: i64, is_admin: bool) -> StoreResult<()> {
    change(store, user_number, |account| {
        account.admin = is_admin;
        account.locked &= !is_admin;
        account.suspended &= !is_admin;
    })
    .await
}

/// Lets a user ask as often as they like, or no longer; for who operates the server.
pub async fn exempt_from_rate_limits(
    server: &Server,
    store: &Store,
    user_number: i64,
    is_exempt: bool,
) -> StoreResult<()> {
    let mut writes = WriteSet::new();
    if is_exempt {
        let now_ms = i64::try_from(server.now_ms()).unwrap_or(i64::MAX);
        rate_limit_exemptions::upsert(&mut writes, user_number, now_ms);
    } else {
        rate_limit_exemptions::delete(&mut writes, user_number);
    }
    store.commit(writes).await.map(drop)
}

async fn find(
    server: &Server,
    store: &Store,
    moderated: Moderated<'_>,
) -> Result<User, ModerationError> {
    if !moderated.is_admin {
        return Err(ModerationError::NotAdmin);
    }
    if !server.is_local(moderated.target) {
        return Err(ModerationError::NotLocal);
    }
    let number = store.find_interned(moderated.target.as_bytes()).await?;
    let account = match number {
        Some(number) => users::find(&mut store.read(), number).await?,
        None => None,
    };
    account
        .filter(|account| account.deactivated_ms.is_none())
        .ok_or(ModerationError::NotFound)
}

async fn change(store: &Store, user_number: i64, change: impl Fn(&mut User)) -> StoreResult<()> {
    let mut attempts = store.attempts();
    loop {
        let account = get_user(&mut store.read(), user_number).await?;
        let mut changed = account.clone();
        change(&mut changed);
        if changed == account {
            return Ok(());
        }
        let mut writes = WriteSet::new();
        users::update(&mut writes, &changed);
        // Whoever waits for something new finds out at once.
        sessions::log_change(&mut writes, user_number);
        if attempts.commit(writes).await?.is_some() {
            return Ok(());
        }
    }
}
