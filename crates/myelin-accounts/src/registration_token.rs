//! Registration tokens: invitations that the operator hands out.

use myelin_core::server::Server;
use myelin_store::{
    Store, StoreError, StoreResult, WriteSet,
    registration_tokens::{self, RegistrationToken},
};

use crate::{RegisterError, registration_flows, settings::AccountSettings, uia};

/// The specification's limit.
const TOKEN_MAX: usize = 64;
/// Characters of a token that we choose: nobody guesses 95 bits.
const RANDOM_TOKEN_LENGTH: usize = 16;

/// A wish for a token.
#[derive(Clone, Debug, Default)]
pub struct NewRegistrationToken {
    /// The token; None: we choose one.
    pub token: Option<String>,
    /// How many may register with it; None: any number.
    pub uses_allowed: Option<u32>,
    /// When it ends; None: never.
    pub expires_ms: Option<u64>,
}

/// Why there is no such token.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationTokenError {
    /// It does not keep to the specification's grammar.
    #[error("a registration token has 1 to 64 characters of A-Z, a-z, 0-9 and ._~-")]
    Invalid,
    /// There is one.
    #[error("there is a registration token of this name")]
    Exists,
    /// The store failed.
    #[error("the registration token was not stored")]
    Store(#[from] StoreError),
}

/// Makes a token.
pub async fn create_registration_token(
    server: &Server,
    store: &Store,
    new: NewRegistrationToken,
) -> Result<String, RegistrationTokenError> {
    let token = new
        .token
        .unwrap_or_else(|| server.random_token(RANDOM_TOKEN_LENGTH));
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
    if !(1..=TOKEN_MAX).contains(&token.len()) || !token.bytes().all(is_allowed) {
        return Err(RegistrationTokenError::Invalid);
    }
    let row = RegistrationToken {
        token: token.clone(),
        uses_allowed: new.uses_allowed.map(i64::from),
        created_ms: server.now_ms().cast_signed(),
        expires_ms: new.expires_ms.map(u64::cast_signed),
        version: 1,
        ..RegistrationToken::default()
    };
    let mut attempts = store.attempts();
    loop {
        let known = registration_tokens::find(&mut store.read(), &token).await?;
        if known.is_some() {
            return Err(RegistrationTokenError::Exists);
        }
        let mut writes = WriteSet::new();
        registration_tokens::insert(&mut writes, &row);
        if attempts.commit(writes).await?.is_some() {
            return Ok(token);
        }
    }
}

/// Deletes a token. Whether there was one.
pub async fn delete_registration_token(store: &Store, token: &str) -> StoreResult<bool> {
    let Some(token) = registration_tokens::find(&mut store.read(), token).await? else {
        return Ok(false);
    };
    let mut writes = WriteSet::new();
    registration_tokens::delete(&mut writes, &token);
    store.commit(writes).await?;
    Ok(true)
}

/// All tokens, oldest first.
pub async fn list_registration_tokens(store: &Store) -> StoreResult<Vec<RegistrationToken>> {
    registration_tokens::list(&mut store.read()).await
}

/// Whether somebody can register with a token.
pub async fn is_registration_token_valid(
    server: &Server,
    store: &Store,
    settings: &AccountSettings,
    token: &str,
) -> Result<bool, RegisterError> {
    if registration_flows(store, settings).await?.is_none() {
        return Err(RegisterError::Closed);
    }
    Ok(uia::is_usable_registration_token(server, store, token).await?)
}
