//! What is kept of another server's user's devices, and how updates change it.
//!
//! An update says what has changed, but only on top of the one before it. Where that is not the last
//! one that has arrived, or there is no list to change, the user's server is asked when the next
//! client wants to know.
//!
//! [Spec](https://spec.matrix.org/v1.19/server-server-api/#device-management)

use std::collections::BTreeMap;

use myelin_core::encryption_keys::{Object, Usage, check_cross_signing_key, check_device_keys};
use myelin_store::{
    Read, StoreResult, WriteSet,
    remote_device_lists::{self, Kept, ToldList},
};
use ruma::UserId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Longer lists are not kept.
const LIST_BYTES_MAX: usize = 256 * 1_024;
/// Longest name of a device that is shown.
const NAME_BYTES_MAX: usize = 1_024;

/// What a server has told of a user.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct KeptList {
    pub(super) devices: BTreeMap<String, Object>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) master_key: Option<Object>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) self_signing_key: Option<Object>,
}

/// What another server says has changed of a user's keys. Whatever does not have the form that it
/// should have counts as unknown.
#[derive(Clone, Debug)]
pub enum RemoteKeyChange {
    /// `m.device_list_update`.
    Device(DeviceUpdate),
    /// `m.signing_key_update`.
    SigningKeys {
        /// The master key.
        master: Value,
        /// The self-signing key.
        self_signing: Value,
    },
}

/// The content of `m.device_list_update`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct DeviceUpdate {
    device_id: Value,
    device_display_name: Value,
    stream_id: Value,
    prev_id: Value,
    deleted: Value,
    keys: Value,
}

impl KeptList {
    /// As it is stored; None: it is too long.
    pub(super) fn to_bytes(&self) -> Option<Vec<u8>> {
        let bytes = serde_json::to_vec(self).ok()?;
        (bytes.len() <= LIST_BYTES_MAX).then_some(bytes)
    }

    /// The list after a change; None: it has to be asked for.
    fn changed(mut self, user: &UserId, change: &RemoteKeyChange) -> Option<Self> {
        match change {
            RemoteKeyChange::Device(update) => {
                let device = update.device_id.as_str()?;
                let is_there = update.deleted != Value::Bool(true) && !update.keys.is_null();
                if is_there {
                    let mut keys = update.keys.as_object()?.clone();
                    check_device_keys(&keys, user.as_str(), device).ok()?;
                    keys.insert(
                        "unsigned".to_owned(),
                        json!({"device_display_name": update.device_display_name}),
                    );
                    self.devices
                        .insert(device.to_owned(), with_name_alone(keys));
                } else {
                    self.devices.remove(device);
                }
            }
            RemoteKeyChange::SigningKeys {
                master,
                self_signing,
            } => {
                let key = |key: &Value, usage| {
                    let key = key.as_object()?.clone();
                    check_cross_signing_key(&key, user.as_str(), usage).ok()?;
                    Some(key)
                };
                self.master_key = Some(key(master, Usage::Master)?);
                self.self_signing_key = Some(key(self_signing, Usage::SelfSigning)?);
            }
        }
        Some(self)
    }
}

impl RemoteKeyChange {
    fn stream_id(&self) -> Option<i64> {
        match self {
            Self::Device(update) => update.stream_id.as_i64(),
            Self::SigningKeys { .. } => None,
        }
    }

    /// Whether nothing is missing between it and the last update that has arrived.
    fn is_next(&self, last: Option<i64>) -> bool {
        let Self::Device(update) = self else {
            // They are sent whole and name none.
            return true;
        };
        let before: Option<Vec<i64>> = match &update.prev_id {
            Value::Null => Some(Vec::new()),
            Value::Array(ids) => ids.iter().map(Value::as_i64).collect(),
            _ => None,
        };
        before.is_some_and(|before| before.as_slice() == last.as_slice())
            && update.stream_id.is_i64()
    }
}

/// Notes a change of a user's keys in the set that tells of it, and changes what is kept of them. Of
/// changes that are noted at the same moment none is kept, and the list is asked for.
pub async fn note_remote_key_change(
    read: &mut Read,
    writes: &mut WriteSet,
    (user, user_id): (i64, &UserId),
    change: &RemoteKeyChange,
) -> StoreResult<()> {
    let kept = remote_device_lists::find_kept(read, user).await?;
    if let Some(told) = changed(user, user_id, (&kept, change)) {
        remote_device_lists::put(writes, &told);
    }
    if let Some(stream_id) = change.stream_id() {
        remote_device_lists::put_update(writes, user, stream_id);
    }
    remote_device_lists::note_change(writes, user);
    Ok(())
}

fn changed(
    user: i64,
    user_id: &UserId,
    (kept, change): (&Kept, &RemoteKeyChange),
) -> Option<ToldList> {
    let (list, told_ms) = kept.list.as_ref()?;
    if !change.is_next(kept.last_update) {
        return None;
    }
    let list: KeptList = serde_json::from_slice(list).ok()?;
    let list = list.changed(user_id, change)?.to_bytes()?;
    Some(ToldList {
        user,
        // The one that is noted now among them.
        changes: kept.changes + 1,
        told_ms: *told_ms,
        list: list.into(),
    })
}

/// Of what other servers say beside the keys, the name of the device.
pub(super) fn with_name_alone(mut keys: Object) -> Object {
    let unsigned = keys.remove("unsigned");
    let name = unsigned.as_ref().and_then(|unsigned| {
        let name = unsigned.get("device_display_name")?.as_str()?;
        (name.len() <= NAME_BYTES_MAX).then_some(name)
    });
    if let Some(name) = name {
        keys.insert("unsigned".to_owned(), json!({"device_display_name": name}));
    }
    keys
}
