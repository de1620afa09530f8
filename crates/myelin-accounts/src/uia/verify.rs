//! Whether a stage's proof is good.

use myelin_core::server::Server;
use myelin_store::{
    Store, StoreResult, registration_tokens::RegistrationToken, uia_sessions::UiaSession,
    users::User,
};

use super::{Proof, StageFailure, UiaError, approval::usable_token};
use crate::{AccountSettings, LoginName, account::find_user};

pub(super) enum Verified {
    Yes,
    /// It is a registration token that can be used.
    Token(RegistrationToken),
    No(StageFailure),
}

pub(super) async fn verify(
    (server, store, settings): (&Server, &Store, &AccountSettings),
    session: &UiaSession,
    account: Option<&User>,
    proof: &Proof,
) -> Result<Verified, UiaError> {
    match proof {
        Proof::Dummy | Proof::Terms => Ok(Verified::Yes),
        Proof::Unknown => Ok(Verified::No(StageFailure::NotOnOffer)),
        Proof::RegistrationToken(name) => {
            let now_ms = server.now_ms();
            let token = usable_token(&mut store.read(), name, Some(session), now_ms).await?;
            Ok(token.map_or(
                Verified::No(StageFailure::InvalidRegistrationToken),
                Verified::Token,
            ))
        }
        Proof::Password { name, password } => {
            if matches!(name, Some(LoginName::Address)) {
                return Err(UiaError::UnknownAddress);
            }
            let account = account.filter(|account| account.deactivated_ms.is_none());
            let is_right = is_name_of(server, store, name.as_ref(), account).await?
                && settings.passwords.is_right(server, account, password).await;
            Ok(if is_right {
                Verified::Yes
            } else {
                Verified::No(StageFailure::WrongPassword)
            })
        }
    }
}

/// Whether who is logged in calls themselves by their own name, or by none.
async fn is_name_of(
    server: &Server,
    store: &Store,
    name: Option<&LoginName>,
    account: Option<&User>,
) -> StoreResult<bool> {
    let (Some(LoginName::User(name)), Some(account)) = (name, account) else {
        return Ok(account.is_some());
    };
    let named = find_user(server, store, name).await?;
    Ok(named.is_some_and(|named| named.number == account.number))
}
