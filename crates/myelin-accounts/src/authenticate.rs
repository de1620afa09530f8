//! From an access token to whoever holds it.

use myelin_store::{
    Store, StoreError, StoreResult, WriteSet,
    sessions::{self, SessionRow, TokenHash},
};
use ruma::{DeviceId, OwnedDeviceId, OwnedUserId, UserId};
use sha2::{Digest, Sha256};

/// A device's last activity is written at most this often.
const TOUCH_INTERVAL_MS: u64 = 60_000;

/// Who makes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a state of its own, and any of them go together"
)]
pub struct Session {
    /// The user.
    pub user: OwnedUserId,
    /// The interned user id.
    pub user_number: i64,
    /// The device that the access token belongs to.
    pub device: OwnedDeviceId,
    /// When the device was last seen, as far as it is recorded.
    pub last_seen_ms: u64,
    /// Whether the user may use the admin API.
    pub admin: bool,
    /// Whether the user is a guest.
    pub guest: bool,
    /// Whether an operator has locked the account.
    pub locked: bool,
    /// Whether an operator has suspended the account.
    pub suspended: bool,
}

/// Why a token stands for nobody.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticateError {
    /// Nobody has this token, any more or ever.
    #[error("the access token is unknown")]
    Unknown,
    /// It has expired; its device is still there and may get another one.
    #[error("the access token has expired")]
    Expired,
    /// The store failed.
    #[error("the access token could not be looked up")]
    Store(#[from] StoreError),
}

/// The session of this access token. It is read anew each time (one point read), so that a token
/// revoked on any node is dead at once on all of them.
pub async fn authenticate(
    store: &Store,
    token: &str,
    now_ms: u64,
) -> Result<Session, AuthenticateError> {
    let token_hash = hash_token(token);
    let mut row = find(store, &token_hash).await?;
    if row.is_next && !is_expired(&row, now_ms) {
        row = confirm(store, &token_hash).await?;
    }
    if is_expired(&row, now_ms) {
        return Err(AuthenticateError::Expired);
    }
    let user = UserId::parse(row.user_id.as_str()).map_err(|_| StoreError::Corrupt {
        table: "users",
        column: 1,
        wanted: "a user id",
        found: row.user_id.clone(),
    })?;
    Ok(Session {
        user,
        user_number: row.user_number,
        device: row.device_id.into(),
        last_seen_ms: u64::try_from(row.last_seen_ms).unwrap_or_default(),
        admin: row.admin,
        guest: row.guest,
        locked: row.locked,
        suspended: row.suspended,
    })
}

/// Whether the database answers: reads a token that nobody can hold.
pub async fn can_read(store: &Store) -> StoreResult<()> {
    sessions::find(&mut store.read(), &[0; 32]).await.map(drop)
}

/// Records the device's activity with the set of the act itself, if a minute has passed since the
/// last time.
pub fn touch(
    writes: &mut WriteSet,
    user_number: i64,
    device: &DeviceId,
    last_seen_ms: u64,
    now_ms: u64,
) {
    if now_ms >= last_seen_ms.saturating_add(TOUCH_INTERVAL_MS) {
        sessions::touch(writes, user_number, device.as_str(), now_ms.cast_signed());
    }
}

/// Tokens have 190 random bits, so a hash without salt cannot be turned back.
pub(crate) fn hash_token(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}

async fn find(store: &Store, token_hash: &TokenHash) -> Result<SessionRow, AuthenticateError> {
    let row = sessions::find(&mut store.read(), token_hash).await?;
    row.ok_or(AuthenticateError::Unknown)
}

/// The first use of a token that a refresh has handed out: what it replaces is spent, and only now,
/// because only now it is certain that the client has it.
async fn confirm(store: &Store, token_hash: &TokenHash) -> Result<SessionRow, AuthenticateError> {
    let mut attempts = store.attempts();
    loop {
        let row = find(store, token_hash).await?;
        if !row.is_next {
            return Ok(row);
        }
        let mut read = store.read();
        let device = sessions::find_device(&mut read, row.user_number, &row.device_id).await?;
        let device = device.ok_or(AuthenticateError::Unknown)?;
        let mut writes = WriteSet::new();
        if device.tokens.next_access.as_deref() == Some(&token_hash[..]) {
            sessions::confirm(&mut writes, &device, &row);
            sessions::log_change(&mut writes, row.user_number);
            if attempts.commit(writes).await?.is_some() {
                return Ok(row);
            }
        } else {
            // Another request has been here between the two reads.
            attempts.conflict()?;
        }
    }
}

fn is_expired(row: &SessionRow, now_ms: u64) -> bool {
    row.expires_ms
        .is_some_and(|expires_ms| now_ms.cast_signed() >= expires_ms)
}

#[cfg(test)]
mod tests {
    use ruma::device_id;

    use super::*;

    #[test]
    fn activity_is_written_once_a_minute() {
        let writes_at = |now_ms| {
            let mut writes = WriteSet::new();
            touch(&mut writes, 7, device_id!("PHONE"), 1_000, now_ms);
            !writes.is_empty()
        };
        assert!(!writes_at(1_000));
        assert!(!writes_at(60_999));
        assert!(writes_at(61_000));
        // A clock that was set back must not write with every request.
        assert!(!writes_at(0));
    }
}
