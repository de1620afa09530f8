//! What belongs to end-to-end encryption, as EDUs: changes of our users' devices and keys, and messages
//! to devices of others.

use std::collections::BTreeMap;

use bytes::Bytes;
use myelin_accounts::{DeviceList, device_list};
use myelin_core::server::Server;
use myelin_store::{
    LogEntry, LogKind, Store, StoreResult, WriteSet, device_lists,
    to_device::{self, Place},
};
use ruma::UserId;
use serde_json::{Map, Value, json};

use crate::edus::{KeyChange, Message};

/// Whether an entry tells of a change of its subject's devices or keys.
pub(crate) fn is_key_change(entry: &LogEntry) -> bool {
    entry.kind == LogKind::DeviceList && device_lists::changed_user(entry) == entry.subject
}

/// What other servers are told of a change, as it is now. An update names the one before it, as far
/// as the log still has it: of several changes of a device only the last. A server that has seen
/// another one asks for the whole list.
pub(crate) async fn key_change(
    server: &Server,
    store: &Store,
    (entry, user): (&LogEntry, &str),
) -> StoreResult<Option<KeyChange>> {
    let Ok(user_id) = <&UserId>::try_from(user) else {
        return Ok(None);
    };
    let mut list = device_list(server, store, user_id).await?;
    let device = device_lists::device(entry);
    let edu = match device {
        Some(device) => {
            let mut read = store.read();
            let before =
                device_lists::find_change_before(&mut read, entry.subject, entry.pos).await?;
            device_list_update((user, device), (before, entry.pos), &mut list)
        }
        None => signing_key_update(user, list),
    };
    Ok(Some(KeyChange {
        pos: entry.pos,
        of: (user.into(), device.map(Into::into)),
        edus: vec![edu.to_string().into()],
    }))
}

/// An update of one device, which is taken out of the list; `before` is the update before it, if it is
/// not 0.
pub(crate) fn device_list_update(
    (user, device): (&str, &str),
    (before, stream_id): (i64, i64),
    list: &mut DeviceList,
) -> Value {
    let prev_id = (before > 0).then_some(before);
    let mut content = json!({
        "user_id": user,
        "device_id": device,
        "stream_id": stream_id,
        "prev_id": prev_id.as_slice(),
    });
    match list.devices.remove(device) {
        Some((keys, name)) => {
            content["keys"] = keys.into();
            if let Some(name) = name {
                content["device_display_name"] = name.into();
            }
        }
        None => content["deleted"] = true.into(),
    }
    json!({"edu_type": "m.device_list_update", "content": content})
}

fn signing_key_update(user: &str, list: DeviceList) -> Value {
    let mut content = Map::new();
    content.insert("user_id".to_owned(), user.into());
    let keys = [
        ("master_key", list.master_key),
        ("self_signing_key", list.self_signing_key),
    ];
    for (name, key) in keys {
        content.extend(key.map(|key| (name.to_owned(), key.into())));
    }
    json!({"edu_type": "m.signing_key_update", "content": content})
}

/// The messages for other servers that these entries tell of, by number, those excepted that have
/// arrived.
pub(crate) async fn messages(
    store: &Store,
    entries: &[LogEntry],
) -> StoreResult<BTreeMap<i64, Message>> {
    let mut places: BTreeMap<i64, BTreeMap<i64, i64>> = BTreeMap::new();
    for entry in entries {
        if let Some(server) = to_device::server_of(entry) {
            let of_server = places.entry(server).or_default();
            of_server.insert(entry.reference, entry.pos);
        }
    }
    let mut found = BTreeMap::new();
    for (server, positions) in places {
        let numbers: Vec<i64> = positions.keys().copied().collect();
        let queue = (server, to_device::SERVER);
        let waiting = to_device::list_messages(&mut store.read(), queue, &numbers).await?;
        found.extend(waiting.into_iter().filter_map(|(message, edu)| {
            let pos = *positions.get(&message)?;
            Some((message, self::message(Place { pos, message }, &edu)))
        }));
    }
    Ok(found)
}

/// A message that waits.
pub(crate) fn message(place: Place, edu: &Bytes) -> Message {
    let edu = String::from_utf8_lossy(edu).into();
    Message { place, edu }
}

/// Takes out of a server's queue what has arrived.
pub(crate) async fn forget(store: &Store, server: i64, places: &[Place]) -> StoreResult<()> {
    if places.is_empty() {
        return Ok(());
    }
    let mut writes = WriteSet::new();
    to_device::delete(&mut writes, (server, to_device::SERVER), places);
    store.commit(writes).await.map(drop)
}
