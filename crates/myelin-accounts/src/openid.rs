//! `OpenID`: users prove to other services who they are.

use std::time::Duration;

use myelin_core::server::Server;
use myelin_store::{Read, Store, StoreResult, WriteSet, openid_tokens};
use sha2::{Digest, Sha256};

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

/// The interned id of the user whom a token stands for.
pub async fn find_openid_user(
    read: &mut Read,
    token: &str,
    now_ms: u64,
) -> StoreResult<Option<i64>> {
    openid_tokens::find(read, &hash(token), now_ms.cast_signed()).await
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}
