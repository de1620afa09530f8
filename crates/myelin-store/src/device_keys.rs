//! Table `device_keys`: the identity keys of devices.

use bytes::Bytes;

use crate::{OnConflict, Param, Read, Row, StoreResult, Table, WriteSet, bytes, int};

static DEVICE_KEYS: Table = Table {
    name: "device_keys",
    key: &[int("user_number"), bytes("device_id")],
    values: &[int("version"), bytes("keys")],
    version: Some(0),
    on_conflict: OnConflict::Replace,
};

/// The identity keys of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceKeys {
    /// The interned user id.
    pub user: i64,
    /// The device id.
    pub device_id: String,
    /// What the user calls the device.
    pub display_name: Option<String>,
    /// The object as it was uploaded.
    pub keys: Bytes,
    /// Raised by each change.
    pub version: i64,
}

/// The keys of one device.
pub async fn find(
    read: &mut Read,
    (user, device_id): (i64, &str),
) -> StoreResult<Option<DeviceKeys>> {
    let sql = "SELECT k.user_number, k.device_id, d.display_name, k.keys, k.version
               FROM device_keys k
               JOIN devices d ON d.user_number = k.user_number AND d.device_id = k.device_id
               WHERE k.user_number = $1 AND k.device_id = $2";
    let parameters = [user.into(), device_id.into()];
    let row = read.query_one(DEVICE_KEYS.name, sql, &parameters).await?;
    row.map(|row| from_row(&row)).transpose()
}

/// The keys of all devices of these users, by user and device id.
pub async fn list(read: &mut Read, users: &[i64]) -> StoreResult<Vec<DeviceKeys>> {
    let sql = "SELECT k.user_number, k.device_id, d.display_name, k.keys, k.version
               FROM device_keys k
               JOIN devices d ON d.user_number = k.user_number AND d.device_id = k.device_id
               WHERE k.user_number = ANY($1) ORDER BY k.user_number, k.device_id";
    let parameters = [Param::Ints(users.to_vec())];
    let rows = read.query(DEVICE_KEYS.name, sql, &parameters).await?;
    rows.iter().map(from_row).collect()
}

/// Writes the keys of a device; falls if they are not of the version that was read (None: there
/// were none).
pub fn put(
    writes: &mut WriteSet,
    (user, device_id): (i64, &str),
    keys: Bytes,
    read_version: Option<i64>,
) {
    let key = vec![user.into(), device_id.into()];
    writes.expect(&DEVICE_KEYS, key.clone(), read_version);
    let version = read_version.unwrap_or_default() + 1;
    writes.put(&DEVICE_KEYS, key, vec![version.into(), keys.into()]);
}

/// Deletes the keys of a device, in the set that deletes the device; falls if they are not of the
/// version that was read (None: there were none).
pub fn delete(writes: &mut WriteSet, (user, device_id): (i64, &str), read_version: Option<i64>) {
    let key = vec![user.into(), device_id.into()];
    writes.expect(&DEVICE_KEYS, key.clone(), read_version);
    if read_version.is_some() {
        writes.delete(&DEVICE_KEYS, key);
    }
}

fn from_row(row: &Row) -> StoreResult<DeviceKeys> {
    Ok(DeviceKeys {
        user: row.int(0)?,
        device_id: row.text(1)?,
        display_name: row.opt_text(2)?,
        keys: row.bytes(3)?,
        version: row.int(4)?,
    })
}

#[cfg(test)]
mod tests;
