//! What has been proved, until it is used.

use myelin_store::{
    Read, StoreError, StoreResult, WriteSet,
    registration_tokens::{self, RegistrationToken},
    uia_sessions::{self, UiaSession},
    users::{self, User},
};

/// All stages of a flow were done. It is used up in the set of what it approves, so that it
/// approves nothing else.
#[derive(Clone, Debug)]
pub struct Approval {
    /// The session as it was read, if it is stored.
    pub(super) session: Option<UiaSession>,
    /// The account of who is logged in, as it was when the password was checked.
    pub(super) account: Option<User>,
    pub(super) registration_token: Option<String>,
    pub(super) terms_version: Option<String>,
}

/// Why an approval is worth nothing.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    /// It was used, or what it rests on was changed or revoked.
    #[error("the authentication does not hold any more")]
    Void,
    /// The store failed.
    #[error("the authentication could not be looked up")]
    Store(#[from] StoreError),
}

impl Approval {
    /// The terms that were accepted.
    pub fn terms_version(&self) -> Option<&str> {
        self.terms_version.as_deref()
    }

    /// Uses the approval up in this set. The account of who is logged in, if somebody is: the caller
    /// expects it as it is or updates it, so that a change of the password meanwhile is not
    /// overlooked.
    pub(crate) async fn redeem(
        &self,
        read: &mut Read,
        writes: &mut WriteSet,
        now_ms: u64,
    ) -> Result<Option<User>, ApprovalError> {
        if let Some(session) = &self.session {
            let current = find(read, session).await?;
            if current.as_ref() != Some(session) {
                return Err(ApprovalError::Void);
            }
            uia_sessions::end(writes, session);
        }
        if let Some(token) = &self.registration_token {
            let held = self.session.as_ref();
            let token = usable_token(read, token, held, now_ms).await?;
            let token = token.ok_or(ApprovalError::Void)?;
            let used = RegistrationToken {
                completed: token.completed + 1,
                ..token
            };
            registration_tokens::update(writes, &used);
        }
        let Some(account) = &self.account else {
            return Ok(None);
        };
        let current = users::find(read, account.number).await?;
        let holds = |current: &User| {
            current.password_hash == account.password_hash && current.deactivated_ms.is_none()
        };
        let current = current.filter(holds).ok_or(ApprovalError::Void)?;
        Ok(Some(current))
    }

    /// As [`Approval::redeem`], for what a user does who is logged in and whose account stays as it
    /// is.
    pub(crate) async fn redeem_for_user(
        &self,
        read: &mut Read,
        writes: &mut WriteSet,
        now_ms: u64,
    ) -> Result<User, ApprovalError> {
        let account = self.redeem(read, writes, now_ms).await?;
        let account = account.ok_or(ApprovalError::Void)?;
        users::expect(writes, &account);
        Ok(account)
    }
}

/// The token of this name if somebody can still register with it, beside those who hold it in their
/// sessions. `own` is the session of who asks.
pub(super) async fn usable_token(
    read: &mut Read,
    name: &str,
    own: Option<&UiaSession>,
    now_ms: u64,
) -> StoreResult<Option<RegistrationToken>> {
    let now_ms = now_ms.cast_signed();
    let Some(token) = registration_tokens::find(read, name).await? else {
        return Ok(None);
    };
    if token
        .expires_ms
        .is_some_and(|expires_ms| now_ms >= expires_ms)
    {
        return Ok(None);
    }
    let Some(uses_allowed) = token.uses_allowed else {
        return Ok(Some(token));
    };
    let held = uia_sessions::count_with_registration_token(read, name, now_ms).await?;
    let holds_it = |session: &UiaSession| session.registration_token.as_deref() == Some(name);
    let by_others = held - i64::from(own.is_some_and(holds_it));
    Ok((token.completed + by_others < uses_allowed).then_some(token))
}

async fn find(read: &mut Read, session: &UiaSession) -> StoreResult<Option<UiaSession>> {
    let Ok(id_hash) = <[u8; 32]>::try_from(&session.id_hash[..]) else {
        return Ok(None);
    };
    uia_sessions::find(read, &id_hash).await
}
