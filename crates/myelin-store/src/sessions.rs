//! Tables `devices`, `device_activity` and `access_tokens`: who is logged in where.
//!
//! A device has at most one access token, and both rows of it are written in one set.

use bytes::Bytes;

use crate::{
    LogKind, LogWrite, OnConflict, Read, Row, StoreResult, Table, Value, WriteSet, bytes, int,
};

static DEVICES: Table = Table {
    name: "devices",
    key: &[int("user_number"), bytes("device_id")],
    values: &[
        bytes("display_name"),
        int("created_ms"),
        bytes("token_hash"),
        int("version"),
    ],
    version: Some(3),
    on_conflict: OnConflict::Replace,
};

static DEVICE_ACTIVITY: Table = Table {
    name: "device_activity",
    key: &[int("user_number"), bytes("device_id")],
    values: &[int("last_seen_ms")],
    version: None,
    on_conflict: OnConflict::LastWins,
};

static ACCESS_TOKENS: Table = Table {
    name: "access_tokens",
    key: &[bytes("token_hash")],
    values: &[int("user_number"), bytes("device_id"), int("created_ms")],
    version: None,
    on_conflict: OnConflict::Replace,
};

/// The SHA-256 of an access token.
pub type TokenHash = [u8; 32];

/// A device of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The interned user id.
    pub user_number: i64,
    /// The device id.
    pub device_id: String,
    /// What the user calls it.
    pub display_name: Option<String>,
    /// When it was first used.
    pub created_ms: i64,
    /// The hash of its access token.
    pub token_hash: Option<Bytes>,
    /// Raised by each change.
    pub version: i64,
}

/// What an access token stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// The interned user id.
    pub user_number: i64,
    /// The full user id.
    pub user_id: String,
    /// The token's device.
    pub device_id: String,
    /// When the device was last seen.
    pub last_seen_ms: i64,
    /// Whether the user may use the admin API.
    pub admin: bool,
    /// Whether the user is a guest.
    pub guest: bool,
}

/// The session of an access token; none for an account that was deactivated.
pub async fn find(read: &mut Read, token_hash: &TokenHash) -> StoreResult<Option<SessionRow>> {
    let row = read
        .query_one(
            "access_tokens",
            "SELECT t.user_number, u.user_id, t.device_id, COALESCE(a.last_seen_ms, t.created_ms),
                    u.admin, u.guest
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
            admin: row.int(4)? != 0,
            guest: row.int(5)? != 0,
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
            "SELECT user_number, device_id, display_name, created_ms, token_hash, version
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
            "SELECT user_number, device_id, display_name, created_ms, token_hash, version
             FROM devices WHERE user_number = $1 ORDER BY device_id",
            &[user_number.into()],
        )
        .await?;
    rows.iter().map(device_from_row).collect()
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

/// Logs a new device in; falls if the user has a device with this id.
pub fn insert(writes: &mut WriteSet, device: &Device, token_hash: &TokenHash, now_ms: i64) {
    writes.insert(&DEVICES, key(device), values(device, Some(token_hash)));
    put_token(writes, device, token_hash, now_ms);
}

/// Logs a known device in again: its earlier token is dead. Falls if the device is not as it was
/// read.
pub fn update(writes: &mut WriteSet, device: &Device, token_hash: &TokenHash, now_ms: i64) {
    revoke(writes, device);
    let raised = Device {
        version: device.version + 1,
        ..device.clone()
    };
    writes.put(&DEVICES, key(device), values(&raised, Some(token_hash)));
    put_token(writes, device, token_hash, now_ms);
    touch(writes, device.user_number, &device.device_id, now_ms);
}

/// Removes a device and its token; falls if the device is not as it was read.
pub fn delete(writes: &mut WriteSet, device: &Device) {
    revoke(writes, device);
    writes.delete(&DEVICES, key(device));
    writes.delete(&DEVICE_ACTIVITY, key(device));
}

/// Tells the other nodes, and who waits for this user, that sessions ended.
pub fn log_change(writes: &mut WriteSet, user_number: i64) {
    writes.log(LogWrite {
        kind: LogKind::Sessions,
        subject: user_number,
        reference: 0,
        data: Bytes::new(),
    });
}

/// Records when a device was seen; a later time that is there already stays.
pub fn touch(writes: &mut WriteSet, user_number: i64, device_id: &str, now_ms: i64) {
    let key = vec![user_number.into(), device_id.into()];
    writes.max(&DEVICE_ACTIVITY, key, vec![now_ms.into()]);
}

fn revoke(writes: &mut WriteSet, device: &Device) {
    writes.expect(&DEVICES, key(device), Some(device.version));
    if let Some(token_hash) = &device.token_hash {
        writes.delete(&ACCESS_TOKENS, vec![token_hash.clone().into()]);
    }
}

fn put_token(writes: &mut WriteSet, device: &Device, token_hash: &TokenHash, now_ms: i64) {
    writes.insert(
        &ACCESS_TOKENS,
        vec![token_hash.as_slice().into()],
        vec![
            device.user_number.into(),
            device.device_id.as_str().into(),
            now_ms.into(),
        ],
    );
}

fn key(device: &Device) -> Vec<Value> {
    vec![device.user_number.into(), device.device_id.as_str().into()]
}

fn values(device: &Device, token_hash: Option<&TokenHash>) -> Vec<Value> {
    vec![
        device.display_name.as_deref().into(),
        device.created_ms.into(),
        token_hash.map(TokenHash::as_slice).into(),
        device.version.into(),
    ]
}

fn device_from_row(row: &Row) -> StoreResult<Device> {
    let display_name = match row.opt_bytes(2)? {
        Some(_) => Some(row.text(2)?),
        None => None,
    };
    Ok(Device {
        user_number: row.int(0)?,
        device_id: row.text(1)?,
        display_name,
        created_ms: row.int(3)?,
        token_hash: row.opt_bytes(4)?,
        version: row.int(5)?,
    })
}

#[cfg(test)]
mod tests;
