//! Tokens by which a user lets another device log in.

use myelin_core::server::Server;
use myelin_store::{
    Store, WriteSet,
    login_tokens::{self, LoginToken},
};

use crate::{
    authenticate::hash_token,
    session::TOKEN_LENGTH,
    uia::{Approval, ApprovalError},
};

/// What the specification recommends.
pub const LOGIN_TOKEN_LIFETIME_MS: u64 = 2 * 60 * 1_000;
/// Expired tokens deleted with each new one: more than one, so that there are never many.
const EXPIRED_PER_TOKEN: i64 = 3;

/// Makes a token that logs the user in once, within two minutes.
pub async fn make_login_token(
    server: &Server,
    store: &Store,
    approval: &Approval,
) -> Result<String, ApprovalError> {
    let mut attempts = store.attempts();
    loop {
        let mut read = store.read();
        let mut writes = WriteSet::new();
        let now_ms = server.now_ms();
        let account = approval
            .redeem_for_user(&mut read, &mut writes, now_ms)
            .await?;
        let expired =
            login_tokens::list_expired(&mut read, now_ms.cast_signed(), EXPIRED_PER_TOKEN).await?;
        for token_hash in expired {
            login_tokens::delete(&mut writes, token_hash);
        }
        let token = server.random_token(TOKEN_LENGTH);
        let row = LoginToken {
            user_number: account.number,
            expires_ms: now_ms.saturating_add(LOGIN_TOKEN_LIFETIME_MS).cast_signed(),
        };
        login_tokens::insert(&mut writes, &hash_token(&token), &row);
        if attempts.commit(writes).await?.is_some() {
            return Ok(token);
        }
    }
}
