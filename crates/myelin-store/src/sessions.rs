//! Tables `devices`, `device_activity`, `device_addresses`, `access_tokens` and `refresh_tokens`: who
//! is logged in where.
//!
//! A device has at most one access token that was used, and at most one that a refresh has handed
//! out since. Its row names all its tokens, and they are written in one set with it.

mod writes;

use bytes::Bytes;

use crate::{Read, Row, StoreResult};

pub use writes::{
    confirm, delete, expect_version, insert, insert_without_session, log_change, offer,
    offer_again, put_address, rename, touch, update,
};

/// The SHA-256 of a token.
pub type TokenHash = [u8; 32];

/// A device of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// The interned user id.
    pub user_number: i64,
    /// The device id.
    pub device_id: String,
    /// What the user calls it.
    pub display_name: Option<String>,
    /// When it was first used.
    pub created_ms: i64,
    /// The hashes of its tokens.
    pub tokens: DeviceTokens,
    /// Raised by each change.
    pub version: i64,
}

/// The hashes of a device's tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceTokens {
    /// The access token in use.
    pub access: Option<Bytes>,
    /// The refresh token that goes with it.
    pub refresh: Option<Bytes>,
    /// The access token that a refresh has handed out and nobody has used.
    pub next_access: Option<Bytes>,
    /// The refresh token handed out with it.
    pub next_refresh: Option<Bytes>,
    /// The refresh token before the one in use; it refreshes nothing any more.
    pub spent_refresh: Option<Bytes>,
}

/// What a login or a refresh hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewTokens {
    /// The access token.
    pub access: TokenHash,
    /// When it expires, if it does.
    pub expires_ms: Option<i64>,
    /// The refresh token, for clients that know what to do with it.
    pub refresh: Option<TokenHash>,
}

/// What an access token stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a state of its own, and any of them go together"
)]
pub struct SessionRow {
    /// The interned user id.
    pub user_number: i64,
    /// The full user id.
    pub user_id: String,
    /// The token's device.
    pub device_id: String,
    /// When the device was last seen.
    pub last_seen_ms: i64,
    /// When the token was made.
    pub created_ms: i64,
    /// When it expires, if it does.
    pub expires_ms: Option<i64>,
    /// Whether it is a refresh's that nobody has used so far.
    pub is_next: bool,
    /// Whether the user may use the admin API.
    pub admin: bool,
    /// Whether the user is a guest.
    pub guest: bool,
    /// Whether the user's account is locked.
    pub locked: bool,
    /// Whether the user's account is suspended.
    pub suspended: bool,
}

/// A device as its user sees it in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenDevice {
    /// The device id.
    pub device_id: String,
    /// What the user calls it.
    pub display_name: Option<String>,
    /// When it was last seen.
    pub last_seen_ms: i64,
    /// From which address it logged in or refreshed its tokens last.
    pub address: Option<String>,
    /// The program that did so, as it names itself.
    pub user_agent: Option<String>,
}

/// The session of an access token; none for an account that was deactivated.
pub async fn find(read: &mut Read, token_hash: &TokenHash) -> StoreResult<Option<SessionRow>> {
    let row = read
        .query_one(
            "access_tokens",
            "SELECT t.user_number, u.user_id, t.device_id, COALESCE(a.last_seen_ms, t.created_ms),
                    t.created_ms, t.expires_ms, t.is_next,
                    u.admin, u.guest, u.locked, u.suspended
             FROM access_tokens t
             JOIN users u ON u.user_number = t.user_number AND u.deactivated_ms IS NULL
             LEFT JOIN device_activity a
                 ON a.user_number = t.user_number AND a.device_id = t.device_id
             WHERE t.token_hash = $1",
            &[token_hash.as_slice().into()],
        )
        .await?;
    row.map(|row| {
        Ok(SessionRow {
            user_number: row.int(0)?,
            user_id: row.text(1)?,
            device_id: row.text(2)?,
            last_seen_ms: row.int(3)?,
            created_ms: row.int(4)?,
            expires_ms: row.opt_int(5)?,
            is_next: row.int(6)? != 0,
            admin: row.int(7)? != 0,
            guest: row.int(8)? != 0,
            locked: row.int(9)? != 0,
            suspended: row.int(10)? != 0,
        })
    })
    .transpose()
}

/// One device.
pub async fn find_device(
    read: &mut Read,
    user_number: i64,
    device_id: &str,
) -> StoreResult<Option<Device>> {
    let row = read
        .query_one(
            "devices",
            "SELECT user_number, device_id, display_name, created_ms, token_hash, refresh_hash,
                    next_token_hash, next_refresh_hash, spent_refresh_hash, version
             FROM devices WHERE user_number = $1 AND device_id = $2",
            &[user_number.into(), device_id.into()],
        )
        .await?;
    row.map(|row| device_from_row(&row)).transpose()
}

/// All devices of a user, by id.
pub async fn list_devices(read: &mut Read, user_number: i64) -> StoreResult<Vec<Device>> {
    let rows = read
        .query(
            "devices",
            "SELECT user_number, device_id, display_name, created_ms, token_hash, refresh_hash,
                    next_token_hash, next_refresh_hash, spent_refresh_hash, version
             FROM devices WHERE user_number = $1 ORDER BY device_id",
            &[user_number.into()],
        )
        .await?;
    rows.iter().map(device_from_row).collect()
}

/// The user and the device that a refresh token was given to, even if it is spent.
pub async fn find_refresh_token(
    read: &mut Read,
    token_hash: &TokenHash,
) -> StoreResult<Option<(i64, String)>> {
    let row = read
        .query_one(
            "refresh_tokens",
            "SELECT user_number, device_id FROM refresh_tokens WHERE token_hash = $1",
            &[token_hash.as_slice().into()],
        )
        .await?;
    row.map(|row| Ok((row.int(0)?, row.text(1)?))).transpose()
}

/// All devices of a user as they were last seen, by id.
pub async fn list_seen(read: &mut Read, user_number: i64) -> StoreResult<Vec<SeenDevice>> {
    let rows = read
        .query(
            "devices",
            "SELECT d.device_id, d.display_name, COALESCE(a.last_seen_ms, d.created_ms),
                    f.address, f.user_agent
             FROM devices d
             LEFT JOIN device_activity a
                 ON a.user_number = d.user_number AND a.device_id = d.device_id
             LEFT JOIN device_addresses f
                 ON f.user_number = d.user_number AND f.device_id = d.device_id
             WHERE d.user_number = $1 ORDER BY d.device_id",
            &[user_number.into()],
        )
        .await?;
    rows.iter().map(seen_from_row).collect()
}

/// The ids of those of these users who have devices, and when they last used one of them.
pub async fn list_last_seen(
    read: &mut Read,
    user_numbers: &[i64],
) -> StoreResult<Vec<(String, i64)>> {
    let rows = read
        .query(
            "device_activity",
            "SELECT u.user_id, MAX(COALESCE(a.last_seen_ms, d.created_ms))
             FROM users u
             JOIN devices d ON d.user_number = u.user_number
             LEFT JOIN device_activity a
                 ON a.user_number = d.user_number AND a.device_id = d.device_id
             WHERE u.user_number = ANY($1)
             GROUP BY u.user_number, u.user_id",
            &[crate::Param::Ints(user_numbers.to_vec())],
        )
        .await?;
    rows.iter()
        .map(|row| Ok((row.text(0)?, row.int(1)?)))
        .collect()
}

fn device_from_row(row: &Row) -> StoreResult<Device> {
    Ok(Device {
        user_number: row.int(0)?,
        device_id: row.text(1)?,
        display_name: row.opt_text(2)?,
        created_ms: row.int(3)?,
        tokens: DeviceTokens {
            access: row.opt_bytes(4)?,
            refresh: row.opt_bytes(5)?,
            next_access: row.opt_bytes(6)?,
            next_refresh: row.opt_bytes(7)?,
            spent_refresh: row.opt_bytes(8)?,
        },
        version: row.int(9)?,
    })
}

fn seen_from_row(row: &Row) -> StoreResult<SeenDevice> {
    Ok(SeenDevice {
        device_id: row.text(0)?,
        display_name: row.opt_text(1)?,
        last_seen_ms: row.int(2)?,
        address: row.opt_text(3)?,
        user_agent: row.opt_text(4)?,
    })
}

#[cfg(test)]
mod tests;
