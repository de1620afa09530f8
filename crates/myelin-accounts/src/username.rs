//! Which names can be had, and what who registers must do.

use myelin_core::server::Server;
use myelin_store::{Store, StoreError, StoreResult, registration_tokens, users};
use ruma::{OwnedUserId, UserId};

use crate::{
    AccountSettings,
    uia::{Flow, Stage},
};

/// The specification's limit for a whole user id, in bytes.
const USER_ID_MAX: usize = 255;
/// Letters of a localpart that we choose.
const RANDOM_LOCALPART_LENGTH: usize = 18;

/// Why a name cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum UsernameError {
    /// It cannot be a localpart.
    #[error(
        "the user name may hold only a-z, 0-9 and ._=-/+, not begin with _, and the user id at most 255 bytes"
    )]
    Invalid,
    /// The server itself speaks by this name.
    #[error("the user name is reserved")]
    Reserved,
    /// Somebody has, or had, this name.
    #[error("the user name is taken")]
    InUse,
    /// The store failed.
    #[error("the user name could not be looked up")]
    Store(#[from] StoreError),
}

/// What anybody can do to register. None: registration is closed; whoever has made no registration
/// token wants no strangers.
pub async fn registration_flows(
    store: &Store,
    settings: &AccountSettings,
) -> StoreResult<Option<Vec<Flow>>> {
    let mut flow = Vec::new();
    if !settings.registration_open() {
        if !registration_tokens::exists_any(&mut store.read()).await? {
            return Ok(None);
        }
        flow.push(Stage::RegistrationToken);
    }
    if settings.terms().is_some() {
        flow.push(Stage::Terms);
    }
    if flow.is_empty() {
        flow.push(Stage::Dummy);
    }
    Ok(Some(vec![flow]))
}

/// The user id that registering with this name would give, if it can: the specification wants the
/// checks before User-Interactive Authentication as well as after it.
pub async fn check_username(
    server: &Server,
    store: &Store,
    settings: &AccountSettings,
    username: Option<&str>,
) -> Result<OwnedUserId, UsernameError> {
    let user = new_user_id(server, username).ok_or(UsernameError::Invalid)?;
    let localpart = user.localpart();
    // Application services begin their users' names so, here as on other servers.
    if localpart.starts_with('_') {
        return Err(UsernameError::Invalid);
    }
    if settings.is_reserved(localpart) {
        return Err(UsernameError::Reserved);
    }
    if let Some(number) = store.find_interned(user.as_bytes()).await?
        && users::find(&mut store.read(), number).await?.is_some()
    {
        return Err(UsernameError::InUse);
    }
    Ok(user)
}

/// Upper case is folded: two names that differ in case only would be a trap for people.
pub(crate) fn new_user_id(server: &Server, username: Option<&str>) -> Option<OwnedUserId> {
    let localpart = match username {
        Some(username) => username.to_ascii_lowercase(),
        None => server
            .random_letters(RANDOM_LOCALPART_LENGTH)
            .to_ascii_lowercase(),
    };
    let is_allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._=-/+".contains(&byte);
    if localpart.is_empty() || !localpart.bytes().all(is_allowed) {
        return None;
    }
    let user_id = format!("@{localpart}:{}", server.name);
    if user_id.len() > USER_ID_MAX {
        return None;
    }
    UserId::parse(user_id).ok()
}
