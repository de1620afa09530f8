//! The rows of devices and their tokens.

use bytes::Bytes;

use super::{Device, DeviceTokens, NewTokens, SessionRow};
use crate::{LogKind, LogWrite, OnConflict, Table, Value, WriteSet, bytes, int};

static DEVICES: Table = Table {
    name: "devices",
    key: &[int("user_number"), bytes("device_id")],
    values: &[
        bytes("display_name"),
        int("created_ms"),
        bytes("token_hash"),
        bytes("refresh_hash"),
        bytes("next_token_hash"),
        bytes("next_refresh_hash"),
        bytes("spent_refresh_hash"),
        int("version"),
    ],
    version: Some(7),
    on_conflict: OnConflict::Replace,
};

static DEVICE_ACTIVITY: Table = Table {
    name: "device_activity",
    key: &[int("user_number"), bytes("device_id")],
    values: &[int("last_seen_ms")],
    version: None,
    on_conflict: OnConflict::LastWins,
};

static DEVICE_ADDRESSES: Table = Table {
    name: "device_addresses",
    key: &[int("user_number"), bytes("device_id")],
    values: &[bytes("address"), bytes("user_agent")],
    version: None,
    on_conflict: OnConflict::LastWins,
};

static ACCESS_TOKENS: Table = Table {
    name: "access_tokens",
    key: &[bytes("token_hash")],
    values: &[
        int("user_number"),
        bytes("device_id"),
        int("created_ms"),
        int("expires_ms"),
        int("is_next"),
    ],
    version: None,
    on_conflict: OnConflict::Replace,
};

static REFRESH_TOKENS: Table = Table {
    name: "refresh_tokens",
    key: &[bytes("token_hash")],
    values: &[int("user_number"), bytes("device_id")],
    version: None,
    on_conflict: OnConflict::Replace,
};

/// Logs a new device in; falls if the user has a device with this id.
pub fn insert(writes: &mut WriteSet, device: &Device, tokens: &NewTokens, now_ms: i64) {
    let device = Device {
        tokens: DeviceTokens::of(tokens),
        ..device.clone()
    };
    writes.insert(&DEVICES, key(&device), values(&device));
    put_tokens(writes, &device, tokens, (now_ms, false));
}

/// Writes a new device that nobody is logged in with; falls if the user has a device with this id.
pub fn insert_without_session(writes: &mut WriteSet, device: &Device) {
    let device = Device {
        tokens: DeviceTokens::default(),
        ..device.clone()
    };
    writes.insert(&DEVICES, key(&device), values(&device));
}

/// Logs a known device in again: its earlier tokens are dead. Falls if the device is not as it was
/// read.
pub fn update(writes: &mut WriteSet, device: &Device, tokens: &NewTokens, now_ms: i64) {
    revoke_access(writes, [&device.tokens.access, &device.tokens.next_access]);
    revoke_refresh(writes, all_refresh(device));
    put_device(writes, device, DeviceTokens::of(tokens));
    put_tokens(writes, device, tokens, (now_ms, false));
    touch(writes, device.user_number, &device.device_id, now_ms);
}

/// Hands out further tokens. What is in use stays so until one of them is used; what was handed out
/// before and never used is dead. Falls if the device is not as it was read.
pub fn offer(writes: &mut WriteSet, device: &Device, tokens: &NewTokens, now_ms: i64) {
    revoke_access(writes, [&device.tokens.next_access]);
    revoke_refresh(writes, [&device.tokens.next_refresh]);
    let offered = DeviceTokens {
        next_access: Some(Bytes::copy_from_slice(&tokens.access)),
        next_refresh: tokens.refresh.map(|hash| Bytes::copy_from_slice(&hash)),
        ..device.tokens.clone()
    };
    put_device(writes, device, offered);
    put_tokens(writes, device, tokens, (now_ms, true));
}

/// The refresh token that was handed out last is used for the first time: those before it are
/// spent, and more tokens are handed out. Falls if the device is not as it was read.
pub fn offer_again(writes: &mut WriteSet, device: &Device, tokens: &NewTokens, now_ms: i64) {
    revoke_access(writes, [&device.tokens.access, &device.tokens.next_access]);
    revoke_refresh(writes, [&device.tokens.spent_refresh]);
    let offered = DeviceTokens {
        access: None,
        refresh: device.tokens.next_refresh.clone(),
        next_access: Some(Bytes::copy_from_slice(&tokens.access)),
        next_refresh: tokens.refresh.map(|hash| Bytes::copy_from_slice(&hash)),
        spent_refresh: device.tokens.refresh.clone(),
    };
    put_device(writes, device, offered);
    put_tokens(writes, device, tokens, (now_ms, true));
}

/// The access token that was handed out last, and that `session` is about, is used for the first
/// time: those before it are spent. Falls if the device is not as it was read.
pub fn confirm(writes: &mut WriteSet, device: &Device, session: &SessionRow) {
    revoke_access(writes, [&device.tokens.access]);
    revoke_refresh(writes, [&device.tokens.spent_refresh]);
    if let Some(token_hash) = &device.tokens.next_access {
        writes.put(
            &ACCESS_TOKENS,
            vec![token_hash.clone().into()],
            token_values(device, (session.created_ms, session.expires_ms), false),
        );
    }
    let confirmed = DeviceTokens {
        access: device.tokens.next_access.clone(),
        refresh: device.tokens.next_refresh.clone(),
        next_access: None,
        next_refresh: None,
        spent_refresh: device.tokens.refresh.clone(),
    };
    put_device(writes, device, confirmed);
}

/// Gives a device another name; falls if it is not as it was read.
pub fn rename(writes: &mut WriteSet, device: &Device, display_name: Option<&str>) {
    let renamed = Device {
        display_name: display_name.map(str::to_owned),
        ..device.clone()
    };
    put_device(writes, &renamed, device.tokens.clone());
}

/// Removes a device and its tokens; falls if the device is not as it was read.
pub fn delete(writes: &mut WriteSet, device: &Device) {
    expect(writes, device);
    revoke_access(writes, [&device.tokens.access, &device.tokens.next_access]);
    revoke_refresh(writes, all_refresh(device));
    writes.delete(&DEVICES, key(device));
    writes.delete(&DEVICE_ACTIVITY, key(device));
    writes.delete(&DEVICE_ADDRESSES, key(device));
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

/// Records from where a device was seen.
pub fn put_address(
    writes: &mut WriteSet,
    (user_number, device_id): (i64, &str),
    address: Option<&str>,
    user_agent: Option<&str>,
) {
    let key = vec![user_number.into(), device_id.into()];
    writes.put(
        &DEVICE_ADDRESSES,
        key,
        vec![address.into(), user_agent.into()],
    );
}

/// Lets the set fall if a device is not of this version any more, gone perhaps.
pub fn expect_version(writes: &mut WriteSet, (user_number, device_id): (i64, &str), version: i64) {
    let key = vec![user_number.into(), device_id.into()];
    writes.expect(&DEVICES, key, Some(version));
}

fn expect(writes: &mut WriteSet, device: &Device) {
    let owner = (device.user_number, device.device_id.as_str());
    expect_version(writes, owner, device.version);
}

fn put_device(writes: &mut WriteSet, device: &Device, tokens: DeviceTokens) {
    expect(writes, device);
    let raised = Device {
        version: device.version + 1,
        tokens,
        ..device.clone()
    };
    writes.put(&DEVICES, key(device), values(&raised));
}

fn put_tokens(
    writes: &mut WriteSet,
    device: &Device,
    tokens: &NewTokens,
    (now_ms, is_next): (i64, bool),
) {
    writes.insert(
        &ACCESS_TOKENS,
        vec![tokens.access.as_slice().into()],
        token_values(device, (now_ms, tokens.expires_ms), is_next),
    );
    if let Some(token_hash) = &tokens.refresh {
        writes.insert(
            &REFRESH_TOKENS,
            vec![token_hash.as_slice().into()],
            vec![device.user_number.into(), device.device_id.as_str().into()],
        );
    }
}

fn revoke_access<'a>(writes: &mut WriteSet, hashes: impl IntoIterator<Item = &'a Option<Bytes>>) {
    for hash in hashes.into_iter().flatten() {
        writes.delete(&ACCESS_TOKENS, vec![hash.clone().into()]);
    }
}

fn revoke_refresh<'a>(writes: &mut WriteSet, hashes: impl IntoIterator<Item = &'a Option<Bytes>>) {
    for hash in hashes.into_iter().flatten() {
        writes.delete(&REFRESH_TOKENS, vec![hash.clone().into()]);
    }
}

fn all_refresh(device: &Device) -> [&Option<Bytes>; 3] {
    let tokens = &device.tokens;
    [&tokens.refresh, &tokens.next_refresh, &tokens.spent_refresh]
}

impl DeviceTokens {
    fn of(new: &NewTokens) -> Self {
        Self {
            access: Some(Bytes::copy_from_slice(&new.access)),
            refresh: new.refresh.map(|hash| Bytes::copy_from_slice(&hash)),
            ..Self::default()
        }
    }
}

fn key(device: &Device) -> Vec<Value> {
    vec![device.user_number.into(), device.device_id.as_str().into()]
}

fn values(device: &Device) -> Vec<Value> {
    vec![
        device.display_name.as_deref().into(),
        device.created_ms.into(),
        device.tokens.access.clone().into(),
        device.tokens.refresh.clone().into(),
        device.tokens.next_access.clone().into(),
        device.tokens.next_refresh.clone().into(),
        device.tokens.spent_refresh.clone().into(),
        device.version.into(),
    ]
}

fn token_values(
    device: &Device,
    (created_ms, expires_ms): (i64, Option<i64>),
    is_next: bool,
) -> Vec<Value> {
    vec![
        device.user_number.into(),
        device.device_id.as_str().into(),
        created_ms.into(),
        expires_ms.into(),
        is_next.into(),
    ]
}
