//! Getting the next access token.

use myelin_core::server::Server;
use myelin_store::{Store, StoreError, WriteSet, sessions, users};
use ruma::DeviceId;

use crate::{SeenFrom, Tokens, authenticate::hash_token};

/// Tokens that a refresh has handed out.
pub type Refreshed = Tokens;

/// Why there are no further tokens.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// Nobody has this token: the session has ended.
    #[error("the refresh token is unknown")]
    Unknown,
    /// It was replaced, and its replacement was used. The session goes on without it.
    #[error("the refresh token was used before")]
    Spent,
    /// The account is locked.
    #[error("the account is locked")]
    Locked,
    /// The store failed.
    #[error("the tokens were not stored")]
    Store(#[from] StoreError),
}

/// Hands out the next tokens. The old ones stay until one of these is used, so that a lost answer
/// can be asked for again.
pub async fn refresh(
    server: &Server,
    store: &Store,
    refresh_token: &str,
    seen_from: &SeenFrom,
) -> Result<Refreshed, RefreshError> {
    let token_hash = hash_token(refresh_token);
    let mut attempts = store.attempts();
    loop {
        let mut read = store.read();
        let (user_number, device_id) = sessions::find_refresh_token(&mut read, &token_hash)
            .await?
            .ok_or(RefreshError::Unknown)?;
        let account = users::find(&mut read, user_number).await?;
        let account = account
            .filter(|account| account.deactivated_ms.is_none())
            .ok_or(RefreshError::Unknown)?;
        if account.locked {
            return Err(RefreshError::Locked);
        }
        let device = sessions::find_device(&mut read, user_number, &device_id).await?;
        let device = device.ok_or(RefreshError::Unknown)?;

        let (tokens, row) = Tokens::draw(server, true);
        let now_ms = server.now_ms().cast_signed();
        let mut writes = WriteSet::new();
        if device.tokens.refresh.as_deref() == Some(&token_hash[..]) {
            sessions::offer(&mut writes, &device, &row, now_ms);
        } else if device.tokens.next_refresh.as_deref() == Some(&token_hash[..]) {
            sessions::offer_again(&mut writes, &device, &row, now_ms);
            sessions::log_change(&mut writes, user_number);
        } else if device.tokens.spent_refresh.as_deref() == Some(&token_hash[..]) {
            return Err(RefreshError::Spent);
        } else {
            // The token's row is from before another request changed the device.
            attempts.conflict()?;
            continue;
        }
        let device_id: &DeviceId = device_id.as_str().into();
        seen_from.write(&mut writes, user_number, device_id);
        if attempts.commit(writes).await?.is_some() {
            return Ok(tokens);
        }
    }
}
