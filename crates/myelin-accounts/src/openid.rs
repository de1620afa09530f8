//! `OpenID`: users prove to other services who they are.

use std::time::Duration;

use myelin_core::server::Server;
use myelin_store::{Store, StoreResult, WriteSet, openid_tokens, users};
use ruma::OwnedUserId;
use sha2::{Digest, Sha256};

use crate::account::user_id;

/// How long a token is good for.
pub const OPENID_TOKEN_LIFETIME: Duration = Duration::from_hours(1);
/// 190 bits.
const TOKEN_LENGTH: usize = 32;
/// Each new token takes so many old ones away, so that they cannot pile up.
const EXPIRED_MAX: i64 = 10;

/// A new token for a user, which is good for nothing but [`find_openid_user`].
pub async fn request_openid_token(
    server: &Server,
    store: &Store,
    user: i64,
) -> StoreResult<String> {
    let token = server.random_token(TOKEN_LENGTH);
    let now_ms = server.now_ms().cast_signed();
    let lifetime_ms = i64::try_from(OPENID_TOKEN_LIFETIME.as_millis()).unwrap_or(i64::MAX);
    let mut writes = WriteSet::new();
    openid_tokens::insert(&mut writes, &hash(&token), user, now_ms + lifetime_ms);
    let expired = openid_tokens::list_expired(&mut store.read(), now_ms, EXPIRED_MAX).await?;
    for token_hash in expired {
        openid_tokens::delete(&mut writes, token_hash);
    }
    store.commit(writes).await?;
    Ok(token)
}

/// The user whom a token stands for; None once the token has expired or the account has ended.
pub async fn find_openid_user(
    server: &Server,
    store: &Store,
    token: &str,
) -> StoreResult<Option<OwnedUserId>> {
    let mut read = store.read();
    let now_ms = server.now_ms().cast_signed();
    let Some(user) = openid_tokens::find(&mut read, &hash(token), now_ms).await? else {
        return Ok(None);
    };
    let account = users::find(&mut read, user).await?;
    let account = account.filter(|account| account.deactivated_ms.is_none());
    account.as_ref().map(user_id).transpose()
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}
