//! Uploading the keys of a device.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use myelin_core::encryption_keys::{
    KeyError, Object, check_device_keys, check_one_time_key, public_key,
};
use myelin_store::{
    Read, Store, StoreError, StoreResult, WriteSet, cross_signing, device_keys,
    one_time_keys::{self, OneTimeKey},
    sessions,
};
use serde_json::Value;

use super::{Change, KeyOwner, parse};

/// Most one-time keys of a device, of all algorithms together; clients keep about a hundred.
const ONE_TIME_KEYS_MAX: usize = 1_000;

/// How many keys there are, by algorithm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyTotals {
    /// One-time keys.
    pub one_time: BTreeMap<String, i64>,
    /// Algorithms of fallback keys that nobody has claimed.
    pub unused_fallback: Vec<String>,
}

/// What a device uploads.
#[derive(Clone, Debug, Default)]
pub struct UploadKeys {
    /// Its identity keys; None: they stay as they are.
    pub device_keys: Option<Object>,
    /// Further one-time keys by `algorithm:key_id`.
    pub one_time_keys: BTreeMap<String, Value>,
    /// Fallback keys by `algorithm:key_id`, one of each algorithm.
    pub fallback_keys: BTreeMap<String, Value>,
}

/// Why keys were not stored. Then none of them were.
#[derive(Debug, thiserror::Error)]
pub enum UploadKeysError {
    /// A key has not the right form.
    #[error("`{0}` cannot be stored")]
    Key(String, #[source] KeyError),
    /// Another key with this name is there already.
    #[error("there is another key `{0}` already")]
    Different(String),
    /// There are two fallback keys of one algorithm.
    #[error("there are two fallback keys for `{0}`")]
    TwoFallbackKeys(String),
    /// There would be too many.
    #[error("a device has at most {ONE_TIME_KEYS_MAX} one-time keys")]
    TooMany,
    /// The device id is the id of one of the user's cross-signing keys.
    #[error("the device id is that of a cross-signing key")]
    IdInUse,
    /// The device was removed meanwhile.
    #[error("the device is gone")]
    NoDevice,
    /// The store failed.
    #[error("the keys were not stored")]
    Store(#[from] StoreError),
}

/// How many keys a device has.
pub async fn key_totals(store: &Store, user_number: i64, device: &str) -> StoreResult<KeyTotals> {
    let counts = one_time_keys::counts(&mut store.read(), (user_number, device)).await?;
    let one_time = counts.one_time.iter().map(|(algorithm, _)| *algorithm);
    let algorithms: Vec<i64> = one_time.chain(counts.unused_fallback.clone()).collect();
    let names = store.interned(&algorithms).await?;
    let names: Vec<String> = names
        .iter()
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect();
    let (one_time, unused_fallback) = names.split_at(counts.one_time.len());
    let counted = counts.one_time.iter().map(|(_, count)| *count);
    Ok(KeyTotals {
        one_time: one_time.iter().cloned().zip(counted).collect(),
        unused_fallback: unused_fallback.to_vec(),
    })
}

/// Stores what a device uploads, all or nothing. What is there already stays as it is.
pub async fn upload_keys(
    store: &Store,
    owner: KeyOwner<'_>,
    upload: &UploadKeys,
) -> Result<KeyTotals, UploadKeysError> {
    let keys = prepare_keys(store, owner, upload).await?;
    let mut attempts = store.attempts();
    let told = loop {
        let mut read = store.read();
        let device = sessions::find_device(&mut read, owner.user_number, owner.device).await?;
        let device = device.ok_or(UploadKeysError::NoDevice)?;
        let mut writes = WriteSet::new();
        let told = add_keys(&mut read, &mut writes, owner, &keys).await?;
        if writes.is_empty() {
            break None;
        }
        // Nothing is left behind for a device that is removed meanwhile.
        sessions::expect_version(&mut writes, owner.of_store(), device.version);
        if attempts.commit(writes).await?.is_some() {
            break told;
        }
    };
    if let Some(told) = told {
        told.retell(store, owner.user_number).await?;
    }
    Ok(key_totals(store, owner.user_number, owner.device).await?)
}

/// Keys whose form is good.
pub(crate) struct PreparedKeys {
    device_keys: Option<Object>,
    one_time: Vec<(String, OneTimeKey)>,
    fallback: Vec<(String, OneTimeKey)>,
}

/// Checks what a device uploads.
pub(crate) async fn prepare_keys(
    store: &Store,
    owner: KeyOwner<'_>,
    upload: &UploadKeys,
) -> Result<PreparedKeys, UploadKeysError> {
    if let Some(keys) = &upload.device_keys {
        let checked = check_device_keys(keys, owner.user.as_str(), owner.device);
        checked.map_err(|error| UploadKeysError::Key("device_keys".to_owned(), error))?;
    }
    Ok(PreparedKeys {
        device_keys: upload.device_keys.clone(),
        one_time: parsed(store, &upload.one_time_keys).await?,
        fallback: parsed(store, &upload.fallback_keys).await?,
    })
}

/// Adds keys to those of a device, in a set that makes sure of the device. What was told, if its
/// identity keys are others now.
pub(crate) async fn add_keys(
    read: &mut Read,
    writes: &mut WriteSet,
    owner: KeyOwner<'_>,
    keys: &PreparedKeys,
) -> Result<Option<Change>, UploadKeysError> {
    let told = match &keys.device_keys {
        Some(keys) => add_device_keys(read, writes, owner, keys).await?,
        None => None,
    };
    add_one_time_keys(read, writes, owner, &keys.one_time).await?;
    add_fallback_keys(read, writes, owner, &keys.fallback).await?;
    Ok(told)
}

/// Checks keys and gives their algorithms numbers.
async fn parsed(
    store: &Store,
    keys: &BTreeMap<String, Value>,
) -> Result<Vec<(String, OneTimeKey)>, UploadKeysError> {
    let mut names = Vec::with_capacity(keys.len());
    for (name, key) in keys {
        let parts = check_one_time_key(name, key);
        names.push(parts.map_err(|error| UploadKeysError::Key(name.clone(), error))?);
    }
    if names.len() > ONE_TIME_KEYS_MAX {
        return Err(UploadKeysError::TooMany);
    }
    let algorithms: Vec<&[u8]> = names.iter().map(|(name, _)| name.as_bytes()).collect();
    let numbers = store.intern(&algorithms).await?;
    let parts = keys.iter().zip(names).zip(numbers);
    let parts = parts.map(|(((name, key), (_, key_id)), algorithm)| {
        let key = OneTimeKey {
            algorithm,
            key_id: key_id.to_owned(),
            value: key.to_string().into(),
        };
        (name.clone(), key)
    });
    Ok(parts.collect())
}

/// The change that is told, if it is one.
async fn add_device_keys(
    read: &mut Read,
    writes: &mut WriteSet,
    owner: KeyOwner<'_>,
    keys: &Object,
) -> Result<Option<Change>, UploadKeysError> {
    let mut keys = keys.clone();
    // That is for the server to fill in.
    keys.remove("unsigned");
    let before = device_keys::find(read, owner.of_store()).await?;
    let text = Bytes::from(Value::Object(keys.clone()).to_string());
    if before.as_ref().is_some_and(|before| before.keys == text) {
        return Ok(None);
    }
    for key in cross_signing::list(read, &[owner.user_number]).await? {
        let object = parse("cross_signing_keys", &key.value)?;
        if public_key(&object) == Some(owner.device) {
            return Err(UploadKeysError::IdInUse);
        }
    }
    if let Some(before) = &before
        && parse("device_keys", &before.keys)?.get("keys") != keys.get("keys")
    {
        cross_signing::delete_signatures(writes, owner.of_store());
    }
    let version = before.map(|before| before.version);
    device_keys::put(writes, owner.of_store(), text, version);
    let change = Change::of_devices(vec![owner.device.to_owned()]);
    Ok(Some(change.tell(read, writes, owner.user_number).await?))
}

async fn add_one_time_keys(
    read: &mut Read,
    writes: &mut WriteSet,
    owner: KeyOwner<'_>,
    keys: &[(String, OneTimeKey)],
) -> Result<(), UploadKeysError> {
    if keys.is_empty() {
        return Ok(());
    }
    // Before the keys: what is uploaded in between is not overlooked then.
    let next = one_time_keys::find_next(read, owner.of_store()).await?;
    let there = one_time_keys::list(read, owner.of_store()).await?;
    let known: HashMap<_, _> = there
        .iter()
        .map(|key| ((key.algorithm, key.key_id.as_str()), &key.value))
        .collect();
    let mut new = Vec::with_capacity(keys.len());
    for (name, key) in keys {
        match known.get(&(key.algorithm, key.key_id.as_str())) {
            None => new.push(key.clone()),
            Some(value) if **value == key.value => {}
            Some(_) => return Err(UploadKeysError::Different(name.clone())),
        }
    }
    if there.len() + new.len() > ONE_TIME_KEYS_MAX {
        return Err(UploadKeysError::TooMany);
    }
    if !new.is_empty() {
        one_time_keys::insert(writes, owner.of_store(), next, &new);
    }
    Ok(())
}

async fn add_fallback_keys(
    read: &mut Read,
    writes: &mut WriteSet,
    owner: KeyOwner<'_>,
    keys: &[(String, OneTimeKey)],
) -> Result<(), UploadKeysError> {
    let mut algorithms: Vec<i64> = keys.iter().map(|(_, key)| key.algorithm).collect();
    algorithms.sort_unstable();
    algorithms.dedup();
    if algorithms.len() < keys.len() {
        let name = keys.first().map(|(name, _)| name.clone());
        return Err(UploadKeysError::TwoFallbackKeys(name.unwrap_or_default()));
    }
    if keys.is_empty() {
        return Ok(());
    }
    let there = one_time_keys::list_fallback(read, &[owner.user_number]).await?;
    for (_, key) in keys {
        let before = there.iter().find(|before| {
            before.device_id == owner.device && before.key.algorithm == key.algorithm
        });
        // The same key again does not become unused by that.
        if before.is_some_and(|before| before.key == *key) {
            continue;
        }
        let version = before.map(|before| before.version);
        one_time_keys::put_fallback(writes, owner.of_store(), (key, false), version);
    }
    Ok(())
}
