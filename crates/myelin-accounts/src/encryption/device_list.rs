//! A user's devices as other servers are told of them.

use std::collections::BTreeMap;

use myelin_core::{encryption_keys::Object, server::Server};
use myelin_store::{Store, StoreResult, device_lists};
use ruma::UserId;
use serde_json::Value;

use super::{KeyQuery, query_keys};

/// The devices of a user that have keys, and what vouches for them.
#[derive(Clone, Debug, Default)]
pub struct DeviceList {
    /// The position of the last change of a device; 0: there was none.
    pub stream_id: i64,
    /// Keys and display names by device id.
    pub devices: BTreeMap<String, (Object, Option<String>)>,
    /// The master key.
    pub master_key: Option<Object>,
    /// The self-signing key.
    pub self_signing_key: Option<Object>,
}

/// The devices of a user of this server, as others may see them. What is told may be newer than
/// what the stream id says, never older.
pub async fn device_list(server: &Server, store: &Store, user: &UserId) -> StoreResult<DeviceList> {
    let number = store.find_interned(user.as_bytes()).await?;
    let stream_id = match number {
        Some(number) => {
            device_lists::find_change_before(&mut store.read(), number, i64::MAX).await?
        }
        None => 0,
    };
    let query = KeyQuery::from([(user.to_owned(), Vec::new())]);
    let mut keys = query_keys(server, store, None, &query).await?;
    let devices = keys.device_keys.remove(user).unwrap_or_default();
    let devices = devices.into_iter().map(|(device, mut keys)| {
        let name = keys.remove("unsigned");
        let name = name.and_then(
            |mut unsigned| match unsigned.get_mut("device_display_name") {
                Some(Value::String(name)) => Some(std::mem::take(name)),
                _ => None,
            },
        );
        (device, (keys, name))
    });
    Ok(DeviceList {
        stream_id,
        devices: devices.collect(),
        master_key: keys.master_keys.remove(user),
        self_signing_key: keys.self_signing_keys.remove(user),
    })
}
