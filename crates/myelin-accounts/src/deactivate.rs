//! The end of an account.

use bytes::Bytes;
use myelin_core::server::Server;
use myelin_store::{
    Read, Store, StoreError, StoreResult, WriteSet, account_data, cross_signing, filters,
    jobs::{self, JobKind},
    key_backups,
    profiles::{self, Profile},
    push_rules, thread_subscriptions,
    users::{self, User},
};

use crate::{
    account::get_user,
    logout::logout_others,
    uia::{self, Approval, ApprovalError},
};

/// Why the account goes on.
#[derive(Debug, thiserror::Error)]
pub enum DeactivateError {
    /// Authentication was done, and then used by another request or revoked.
    #[error("the authentication does not hold any more")]
    NotApproved,
    /// The store failed.
    #[error("the account was not deactivated")]
    Store(#[from] StoreError),
}

/// Ends the account of who is logged in: its password and tokens are worth nothing once this
/// commits, its profile and its data are gone, and a job takes it out of its rooms. Its name stays
/// taken. `erase`: its user wants what it said hidden as far as possible.
pub async fn deactivate(
    server: &Server,
    store: &Store,
    approval: &Approval,
    erase: bool,
) -> Result<(), DeactivateError> {
    let mut attempts = store.attempts();
    let user_number = loop {
        let (mut read, mut writes) = (store.read(), WriteSet::new());
        let account = approval
            .redeem(&mut read, &mut writes, server.now_ms())
            .await?;
        let account = account.ok_or(DeactivateError::NotApproved)?;
        let user_number = account.number;
        end(server, &mut read, &mut writes, account, erase).await?;
        uia::end_all(store, &mut writes, user_number, Some(approval)).await?;
        if attempts.commit(writes).await?.is_some() {
            break user_number;
        }
    };
    logout_others(store, user_number, None).await?;
    Ok(())
}

/// Ends an account without asking its user; for who operates the server.
pub async fn deactivate_by_operator(
    server: &Server,
    store: &Store,
    user_number: i64,
    erase: bool,
) -> Result<(), StoreError> {
    let mut attempts = store.attempts();
    loop {
        let (mut read, mut writes) = (store.read(), WriteSet::new());
        let account = get_user(&mut read, user_number).await?;
        end(server, &mut read, &mut writes, account, erase).await?;
        uia::end_all(store, &mut writes, user_number, None).await?;
        if attempts.commit(writes).await?.is_some() {
            break;
        }
    }
    logout_others(store, user_number, None).await
}

async fn end(
    server: &Server,
    read: &mut Read,
    writes: &mut WriteSet,
    account: User,
    erase: bool,
) -> StoreResult<()> {
    let now_ms = server.now_ms().cast_signed();
    let user_number = account.number;
    let ended = User {
        password_hash: None,
        deactivated_ms: account.deactivated_ms.or(Some(now_ms)),
        erased_ms: account.erased_ms.or(erase.then_some(now_ms)),
        admin: false,
        ..account
    };
    users::update(writes, &ended);
    let profile = profiles::find(read, user_number).await?;
    let empty = Profile {
        version: profile.version,
        ..Profile::default()
    };
    profiles::update(writes, user_number, &profile, &empty);
    account_data::delete_of_user(writes, user_number);
    cross_signing::delete_of_user(writes, user_number);
    key_backups::delete_of_user(writes, user_number);
    push_rules::delete_of_user(writes, user_number);
    thread_subscriptions::delete_of_user(writes, user_number);
    for filter in filters::list_oldest(read, user_number, 0).await? {
        filters::delete(writes, user_number, &filter);
    }
    let leave_all = (JobKind::LeaveAll, user_number);
    jobs::enqueue(read, writes, leave_all, Bytes::new(), now_ms).await
}

impl From<ApprovalError> for DeactivateError {
    fn from(error: ApprovalError) -> Self {
        match error {
            ApprovalError::Void => Self::NotApproved,
            ApprovalError::Store(error) => Self::Store(error),
        }
    }
}
