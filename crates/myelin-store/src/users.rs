//! Table `users`: the accounts of this server.

use crate::{
    OnConflict, Read, Row, StoreResult, Table, Value, WriteSet, bytes, int, user_directory,
};

static USERS: Table = Table {
    name: "users",
    key: &[int("user_number")],
    values: &[
        bytes("user_id"),
        bytes("password_hash"),
        int("created_ms"),
        int("deactivated_ms"),
        int("admin"),
        int("guest"),
        int("locked"),
        int("suspended"),
        int("erased_ms"),
        bytes("terms_version"),
        int("version"),
    ],
    version: Some(10),
    on_conflict: OnConflict::Replace,
};

/// One account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a state of its own, and any of them go together"
)]
pub struct User {
    /// The interned user id.
    pub number: i64,
    /// The full user id.
    pub user_id: String,
    /// A PHC string; None: no password opens this account.
    pub password_hash: Option<String>,
    /// When it was registered.
    pub created_ms: i64,
    /// When it was deactivated, if it was.
    pub deactivated_ms: Option<i64>,
    /// Whether it may use the admin API.
    pub admin: bool,
    /// Whether it is a guest.
    pub guest: bool,
    /// Whether an operator has locked it: it can do nothing but log out.
    pub locked: bool,
    /// Whether an operator has suspended it: it may read, but not speak.
    pub suspended: bool,
    /// When its user asked for erasure, if they did.
    pub erased_ms: Option<i64>,
    /// The version of the terms of service that its user accepted.
    pub terms_version: Option<String>,
    /// Raised by each change.
    pub version: i64,
}

/// The account with this interned user id.
pub async fn find(read: &mut Read, number: i64) -> StoreResult<Option<User>> {
    let row = read
        .query_one(
            "users",
            "SELECT user_number, user_id, password_hash, created_ms, deactivated_ms, admin, guest,
                    locked, suspended, erased_ms, terms_version, version
             FROM users WHERE user_number = $1",
            &[number.into()],
        )
        .await?;
    row.map(|row| from_row(&row)).transpose()
}

/// The accounts with numbers above `after`, by number, at most `limit`.
pub async fn list(read: &mut Read, after: i64, limit: i64) -> StoreResult<Vec<User>> {
    let rows = read
        .query(
            "users",
            "SELECT user_number, user_id, password_hash, created_ms, deactivated_ms, admin, guest,
                    locked, suspended, erased_ms, terms_version, version
             FROM users WHERE user_number > $1 ORDER BY user_number LIMIT $2",
            &[after.into(), limit.into()],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

/// Those of these users who have an account, by number.
pub async fn list_existing(read: &mut Read, numbers: &[i64]) -> StoreResult<Vec<i64>> {
    let rows = read
        .query(
            "users",
            "SELECT user_number FROM users WHERE user_number = ANY($1) ORDER BY user_number",
            &[crate::Param::Ints(numbers.to_vec())],
        )
        .await?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// Those of these users who asked for erasure, and when.
pub async fn list_erased(read: &mut Read, numbers: &[i64]) -> StoreResult<Vec<(i64, i64)>> {
    let rows = read
        .query(
            "users",
            "SELECT user_number, erased_ms FROM users
             WHERE user_number = ANY($1) AND erased_ms IS NOT NULL ORDER BY user_number",
            &[crate::Param::Ints(numbers.to_vec())],
        )
        .await?;
    rows.iter()
        .map(|row| Ok((row.int(0)?, row.int(1)?)))
        .collect()
}

/// Writes a new account, which the user directory then knows; falls if the number has one.
pub fn insert(writes: &mut WriteSet, user: &User) {
    user_directory::insert(writes, user.number, &user.user_id);
    writes.insert(&USERS, vec![user.number.into()], values(user, user.version));
}

/// Writes a changed account; falls if it is not as it was read.
pub fn update(writes: &mut WriteSet, user: &User) {
    expect(writes, user);
    writes.put(
        &USERS,
        vec![user.number.into()],
        values(user, user.version + 1),
    );
}

/// Lets the set fall if the account is no longer as it was read.
pub fn expect(writes: &mut WriteSet, user: &User) {
    writes.expect(&USERS, vec![user.number.into()], Some(user.version));
}

fn values(user: &User, version: i64) -> Vec<Value> {
    vec![
        user.user_id.as_str().into(),
        user.password_hash.as_deref().into(),
        user.created_ms.into(),
        user.deactivated_ms.into(),
        user.admin.into(),
        user.guest.into(),
        user.locked.into(),
        user.suspended.into(),
        user.erased_ms.into(),
        user.terms_version.as_deref().into(),
        version.into(),
    ]
}

fn from_row(row: &Row) -> StoreResult<User> {
    Ok(User {
        number: row.int(0)?,
        user_id: row.text(1)?,
        password_hash: row.opt_text(2)?,
        created_ms: row.int(3)?,
        deactivated_ms: row.opt_int(4)?,
        admin: row.int(5)? != 0,
        guest: row.int(6)? != 0,
        locked: row.int(7)? != 0,
        suspended: row.int(8)? != 0,
        erased_ms: row.opt_int(9)?,
        terms_version: row.opt_text(10)?,
        version: row.int(11)?,
    })
}

#[cfg(test)]
mod tests;
