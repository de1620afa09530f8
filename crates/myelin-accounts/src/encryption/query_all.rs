//! Showing keys of users of any server. What other servers have told is kept as long as they would tell
//! if it changed.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use myelin_core::{
    encryption_keys::{add_signature, public_key},
    server::Server,
};
use myelin_net::Federation;
use myelin_store::{
    Store, StoreResult, WriteSet,
    cross_signing::{self, KeySignature},
    remote_device_lists::{self, ToldList},
};
use ruma::OwnedUserId;

use super::{
    KeyFailures, KeyQuery, QueriedKeys, kept_list::KeptList, query_keys, query_remote_keys,
};

/// Users looked up at once.
const USERS_PER_QUERY: usize = 500;
/// A list is asked for again after this time, though nothing was heard: a server may have failed to
/// tell.
const KEPT_MS: u64 = 24 * 60 * 60 * 1_000;
/// Most bytes of lists written in one commit.
const SET_BYTES_MAX: usize = 2 * 1_024 * 1_024;

/// What is known of users of other servers.
#[derive(Default)]
struct Known {
    /// Their numbers, as far as they have any.
    numbers: BTreeMap<OwnedUserId, i64>,
    /// How many changes there were, of those whose changes are told.
    changes: BTreeMap<OwnedUserId, i64>,
    /// The lists that hold.
    lists: BTreeMap<OwnedUserId, KeptList>,
}

/// The keys of users of any server, as `viewer` may see them; and which servers have not told what
/// they know.
pub async fn query_all_keys(
    (server, federation): (&Server, &Federation),
    store: &Store,
    (viewer, viewer_id): (i64, &OwnedUserId),
    query: &KeyQuery,
    time: Duration,
) -> StoreResult<(QueriedKeys, KeyFailures)> {
    let mut shown = query_keys(server, store, Some((viewer, viewer_id)), query).await?;
    let remote = query.iter().filter(|(user, _)| !server.is_local(user));
    let remote: KeyQuery = remote
        .map(|(user, devices)| (user.clone(), devices.clone()))
        .collect();
    if remote.is_empty() {
        return Ok((shown, KeyFailures::new()));
    }
    let mut known = known(server, store, &remote).await?;
    let mut missing = remote.clone();
    missing.retain(|user, _| !known.lists.contains_key(user));
    for (user, devices) in &mut missing {
        if known.changes.contains_key(user) {
            // All of it is kept.
            devices.clear();
        }
    }
    let mut told = QueriedKeys::default();
    let failures = query_remote_keys(federation, &missing, time, &mut told).await;
    keep(server, store, (&known, &told)).await?;
    for (user, list) in std::mem::take(&mut known.lists) {
        told.device_keys.insert(user.clone(), list.devices);
        told.master_keys
            .extend(list.master_key.map(|key| (user.clone(), key)));
        told.self_signing_keys
            .extend(list.self_signing_key.map(|key| (user, key)));
    }
    for (user, devices) in &mut told.device_keys {
        let wanted = remote.get(user).map_or(&[][..], Vec::as_slice);
        devices.retain(|device, _| wanted.is_empty() || wanted.contains(device));
    }
    add_signatures(store, (viewer, viewer_id), (&known.numbers, &mut told)).await?;
    shown.device_keys.append(&mut told.device_keys);
    shown.master_keys.append(&mut told.master_keys);
    shown.self_signing_keys.append(&mut told.self_signing_keys);
    Ok((shown, failures))
}

async fn known(server: &Server, store: &Store, users: &KeyQuery) -> StoreResult<Known> {
    let users: Vec<&OwnedUserId> = users.keys().collect();
    let strings: Vec<&[u8]> = users.iter().map(|user| user.as_bytes()).collect();
    let numbers = store.find_all_interned(&strings).await?;
    let mut known = Known::default();
    let Some(own) = store.find_interned(server.name.as_bytes()).await? else {
        return Ok(known);
    };
    let by_number: HashMap<i64, &OwnedUserId> = numbers
        .iter()
        .zip(&users)
        .filter_map(|(number, user)| Some(((*number)?, *user)))
        .collect();
    let numbers: Vec<i64> = numbers.into_iter().flatten().collect();
    let after_ms = server.now_ms().saturating_sub(KEPT_MS).cast_signed();
    let mut read = store.read();
    for slice in numbers.chunks(USERS_PER_QUERY) {
        let followed =
            remote_device_lists::list_followed(&mut read, slice, (own, after_ms)).await?;
        for found in followed {
            let Some(user) = by_number.get(&found.user) else {
                continue;
            };
            known.changes.insert((*user).clone(), found.changes);
            // What an older version has written in another form is asked for again.
            let list = found
                .list
                .and_then(|list| serde_json::from_slice(&list).ok());
            known.lists.extend(list.map(|list| ((*user).clone(), list)));
        }
    }
    let numbers = by_number.into_iter();
    known.numbers = numbers
        .map(|(number, user)| (user.clone(), number))
        .collect();
    Ok(known)
}

/// Keeps what was told of users of whose changes this server is told.
async fn keep(
    server: &Server,
    store: &Store,
    (known, told): (&Known, &QueriedKeys),
) -> StoreResult<()> {
    let (mut writes, mut lists, mut bytes) = (WriteSet::new(), 0, 0);
    for (user, devices) in &told.device_keys {
        let (Some(number), Some(changes)) = (known.numbers.get(user), known.changes.get(user))
        else {
            continue;
        };
        let list = KeptList {
            devices: devices.clone(),
            master_key: told.master_keys.get(user).cloned(),
            self_signing_key: told.self_signing_keys.get(user).cloned(),
        };
        let Some(list) = list.to_bytes() else {
            continue;
        };
        bytes += list.len();
        lists += 1;
        let told = ToldList {
            user: *number,
            changes: *changes,
            told_ms: server.now_ms().cast_signed(),
            list: list.into(),
        };
        remote_device_lists::put(&mut writes, &told);
        if bytes > SET_BYTES_MAX || lists >= USERS_PER_QUERY {
            store.commit(std::mem::take(&mut writes)).await?;
            (lists, bytes) = (0, 0);
        }
    }
    if !writes.is_empty() {
        store.commit(writes).await?;
    }
    Ok(())
}

/// Adds the signatures of master keys that the viewer has made.
async fn add_signatures(
    store: &Store,
    (viewer, viewer_id): (i64, &OwnedUserId),
    (numbers, told): (&BTreeMap<OwnedUserId, i64>, &mut QueriedKeys),
) -> StoreResult<()> {
    let all: Vec<i64> = numbers.values().copied().collect();
    let mut signatures: HashMap<(i64, String), Vec<KeySignature>> = HashMap::new();
    let mut read = store.read();
    for slice in all.chunks(USERS_PER_QUERY) {
        for signature in cross_signing::list_signatures(&mut read, slice, viewer).await? {
            let signed = (signature.user, signature.key_id.clone());
            signatures.entry(signed).or_default().push(signature);
        }
    }
    for (user, key) in &mut told.master_keys {
        let id = public_key(key).map(str::to_owned);
        let signed = numbers.get(user).copied().zip(id);
        let of_key = signed.and_then(|signed| signatures.get(&signed));
        for signature in of_key.into_iter().flatten() {
            let signer = viewer_id.as_str();
            add_signature(key, signer, &signature.signing_key, &signature.signature);
        }
    }
    Ok(())
}
