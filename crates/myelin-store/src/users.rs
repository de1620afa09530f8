//! Table `users`: the accounts of this server.

use crate::{OnConflict, Read, Row, StoreResult, Table, Value, WriteSet, bytes, int};

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
        int("version"),
    ],
    version: Some(6),
    on_conflict: OnConflict::Replace,
};

/// One account.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Raised by each change.
    pub version: i64,
}

/// The account with this interned user id.
pub async fn find(read: &mut Read, number: i64) -> StoreResult<Option<User>> {
    let row = read
        .query_one(
            "users",
            "SELECT user_number, user_id, password_hash, created_ms, deactivated_ms, admin, guest,
                    version
             FROM users WHERE user_number = $1",
            &[number.into()],
        )
        .await?;
    row.map(|row| from_row(&row)).transpose()
}

/// Writes a new account; falls if the number has one.
pub fn insert(writes: &mut WriteSet, user: &User) {
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
        version.into(),
    ]
}

fn from_row(row: &Row) -> StoreResult<User> {
    let password_hash = match row.opt_bytes(2)? {
        Some(_) => Some(row.text(2)?),
        None => None,
    };
    Ok(User {
        number: row.int(0)?,
        user_id: row.text(1)?,
        password_hash,
        created_ms: row.int(3)?,
        deactivated_ms: row.opt_int(4)?,
        admin: row.int(5)? != 0,
        guest: row.int(6)? != 0,
        version: row.int(7)?,
    })
}

#[cfg(test)]
mod tests;
