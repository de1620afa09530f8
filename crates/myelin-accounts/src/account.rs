//! Finding accounts: by what people type, and all of them.

use myelin_core::server::Server;
use myelin_store::{
    Read, Store, StoreError, StoreResult,
    users::{self, User},
};
use ruma::{OwnedUserId, UserId};

/// Accounts read at once by [`list_accounts`].
const PAGE: i64 = 1_000;

/// How a user is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginName {
    /// A localpart or a whole user id.
    User(String),
    /// An email address or a phone number. Nobody has one here, so none is known.
    Address,
}

/// An account as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a state of its own, and any of them go together"
)]
pub struct Account {
    /// Its user.
    pub user: OwnedUserId,
    /// The interned user id.
    pub number: i64,
    /// When it was registered.
    pub created_ms: u64,
    /// Whether a password opens it.
    pub has_password: bool,
    /// Whether it may use the admin API.
    pub admin: bool,
    /// Whether it is a guest.
    pub guest: bool,
    /// Whether it is locked.
    pub locked: bool,
    /// Whether it is suspended.
    pub suspended: bool,
    /// Whether it was deactivated.
    pub deactivated: bool,
}

/// The account of this name, a localpart or a whole user id; else of the same name in lower case.
pub async fn find_account(
    server: &Server,
    store: &Store,
    name: &str,
) -> StoreResult<Option<Account>> {
    let user = find_user(server, store, name).await?;
    user.map(|user| account(&user)).transpose()
}

/// All accounts, in the order in which their names were first heard.
pub async fn list_accounts(store: &Store) -> StoreResult<Vec<Account>> {
    let mut accounts: Vec<Account> = Vec::new();
    loop {
        let after = accounts.last().map_or(0, |account| account.number);
        let page = users::list(&mut store.read(), after, PAGE).await?;
        if page.is_empty() {
            return Ok(accounts);
        }
        for user in &page {
            accounts.push(account(user)?);
        }
    }
}

/// As [`find_account`].
pub(crate) async fn find_user(
    server: &Server,
    store: &Store,
    name: &str,
) -> StoreResult<Option<User>> {
    let lower = name.to_ascii_lowercase();
    let mut candidates = vec![name];
    if lower != name {
        candidates.push(&lower);
    }
    for candidate in candidates {
        let Some(user) = local_user_id(server, candidate) else {
            continue;
        };
        if let Some(number) = store.find_interned(user.as_bytes()).await?
            && let Some(account) = users::find(&mut store.read(), number).await?
        {
            return Ok(Some(account));
        }
    }
    Ok(None)
}

/// The account with this number, which must be there.
pub(crate) async fn get_user(read: &mut Read, number: i64) -> StoreResult<User> {
    let user = users::find(read, number).await?;
    user.ok_or(StoreError::Missing { table: "users" })
}

/// The user id of a row.
pub(crate) fn user_id(user: &User) -> StoreResult<OwnedUserId> {
    UserId::parse(user.user_id.as_str()).map_err(|_| StoreError::Corrupt {
        table: "users",
        column: 1,
        wanted: "a user id",
        found: user.user_id.clone(),
    })
}

fn account(user: &User) -> StoreResult<Account> {
    Ok(Account {
        user: user_id(user)?,
        number: user.number,
        created_ms: u64::try_from(user.created_ms).unwrap_or_default(),
        has_password: user.password_hash.is_some(),
        admin: user.admin,
        guest: user.guest,
        locked: user.locked,
        suspended: user.suspended,
        deactivated: user.deactivated_ms.is_some(),
    })
}

fn local_user_id(server: &Server, name: &str) -> Option<OwnedUserId> {
    let user = if name.starts_with('@') {
        UserId::parse(name).ok()?
    } else {
        UserId::parse(format!("@{name}:{}", server.name)).ok()?
    };
    server.is_local(&user).then_some(user)
}
