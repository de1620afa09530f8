//! Dehydrated devices: what a user without any device logged in can still be sent.
//!
//! [MSC3814](https://github.com/matrix-org/matrix-spec-proposals/pull/3814)

use bytes::Bytes;
use myelin_core::{encryption_keys::Object, server::Server};
use myelin_store::{
    Store, StoreError, WriteSet,
    dehydrated_devices::{self, DehydratedDevice},
    sessions::{self, Device},
    to_device,
};
use ruma::UserId;
use serde_json::Value;

use crate::{
    KeyOwner, NewDevice, UploadKeys, UploadKeysError,
    encryption::{add_keys, prepare_keys},
    logout::logout,
};

/// Largest encrypted device.
const DATA_BYTES_MAX: usize = 65_536;
/// Messages in one answer.
const EVENTS_MAX: usize = 100;

/// A device to be dehydrated.
#[derive(Clone, Debug)]
pub struct Dehydrate {
    /// Its id.
    pub device_id: String,
    /// What its user calls it.
    pub display_name: Option<String>,
    /// The device, encrypted.
    pub device_data: Object,
    /// Its keys.
    pub keys: UploadKeys,
}

/// Messages that wait for a dehydrated device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DehydratedEvents {
    /// The events as JSON.
    pub events: Vec<Bytes>,
    /// Where the last of them stands; None: there is none.
    pub last: Option<i64>,
    /// Whether there are more.
    pub more: bool,
}

/// Why a dehydrated device is not stored, or not found.
#[derive(Debug, thiserror::Error)]
pub enum DehydratedDeviceError {
    /// The user has none.
    #[error("there is no dehydrated device")]
    NotFound,
    /// It is another one.
    #[error("this is not the dehydrated device")]
    OtherDevice,
    /// Its id or its name is too long, or `device_data` names no algorithm.
    #[error("`device_id`, the display name or `device_data` is not valid")]
    Invalid,
    /// The encrypted device is too large.
    #[error("`device_data` has more than {DATA_BYTES_MAX} bytes")]
    TooLarge,
    /// A device that is logged in has this id.
    #[error("there is a device with this id")]
    IdInUse,
    /// Its keys cannot be stored.
    #[error("the keys were not stored")]
    Keys(#[source] UploadKeysError),
    /// The store failed.
    #[error("the dehydrated device could not be read or stored")]
    Store(#[from] StoreError),
}

/// Stores a user's dehydrated device, its keys with it. The one before goes first, with all that it
/// was sent.
pub async fn put_dehydrated_device(
    server: &Server,
    store: &Store,
    (user, user_number): (&UserId, i64),
    new: &Dehydrate,
) -> Result<(), DehydratedDeviceError> {
    let device_data = check(new)?;
    let owner = KeyOwner {
        user,
        user_number,
        device: &new.device_id,
    };
    let keys = prepare_keys(store, owner, &new.keys).await?;
    let mut attempts = store.attempts();
    let told = loop {
        if let Some(before) = dehydrated_devices::find(&mut store.read(), user_number).await? {
            logout(store, user_number, before.device_id.as_str().into()).await?;
        }
        let mut read = store.read();
        let known = sessions::find_device(&mut read, user_number, &new.device_id).await?;
        if known.is_some() {
            return Err(DehydratedDeviceError::IdInUse);
        }
        let device = Device {
            user_number,
            device_id: new.device_id.clone(),
            display_name: new.display_name.clone(),
            created_ms: server.now_ms().cast_signed(),
            version: 1,
            ..Device::default()
        };
        let mut writes = WriteSet::new();
        sessions::insert_without_session(&mut writes, &device);
        dehydrated_devices::insert(
            &mut writes,
            user_number,
            &new.device_id,
            device_data.clone(),
        );
        let told = add_keys(&mut read, &mut writes, owner, &keys).await?;
        if attempts.commit(writes).await?.is_some() {
            break told;
        }
    };
    if let Some(told) = told {
        told.retell(store, user_number).await?;
    }
    Ok(())
}

fn check(new: &Dehydrate) -> Result<Bytes, DehydratedDeviceError> {
    let device = NewDevice {
        device_id: Some(new.device_id.as_str().into()),
        display_name: new.display_name.clone(),
        ..NewDevice::default()
    };
    let has_algorithm = new
        .device_data
        .get("algorithm")
        .is_some_and(Value::is_string);
    if !device.is_valid() || !has_algorithm {
        return Err(DehydratedDeviceError::Invalid);
    }
    let text = Value::Object(new.device_data.clone()).to_string();
    if text.len() > DATA_BYTES_MAX {
        return Err(DehydratedDeviceError::TooLarge);
    }
    Ok(text.into())
}

/// A user's dehydrated device.
pub async fn get_dehydrated_device(
    store: &Store,
    user_number: i64,
) -> Result<DehydratedDevice, DehydratedDeviceError> {
    let found = dehydrated_devices::find(&mut store.read(), user_number).await?;
    found.ok_or(DehydratedDeviceError::NotFound)
}

/// Deletes it with all that belongs to it; its id.
pub async fn delete_dehydrated_device(
    store: &Store,
    user_number: i64,
) -> Result<String, DehydratedDeviceError> {
    let found = get_dehydrated_device(store, user_number).await?;
    logout(store, user_number, found.device_id.as_str().into()).await?;
    Ok(found.device_id)
}

/// What waits for a dehydrated device after a place. Nothing is deleted, so that another device can
/// take over where one has given up.
pub async fn dehydrated_events(
    store: &Store,
    user_number: i64,
    device_id: &str,
    after: i64,
) -> Result<DehydratedEvents, DehydratedDeviceError> {
    let mut read = store.read();
    let found = dehydrated_devices::find(&mut read, user_number).await?;
    if found.is_none_or(|found| found.device_id != device_id) {
        return Err(DehydratedDeviceError::OtherDevice);
    }
    // One more tells whether there are more.
    let limit = i64::try_from(EVENTS_MAX + 1).unwrap_or(i64::MAX);
    let owner = (user_number, device_id);
    let mut waiting = to_device::list(&mut read, owner, (after, i64::MAX), limit).await?;
    let more = waiting.len() > EVENTS_MAX;
    waiting.truncate(EVENTS_MAX);
    Ok(DehydratedEvents {
        last: waiting.last().map(|last| last.place.pos),
        events: waiting.into_iter().map(|waiting| waiting.event).collect(),
        more,
    })
}

impl From<UploadKeysError> for DehydratedDeviceError {
    fn from(error: UploadKeysError) -> Self {
        match error {
            UploadKeysError::Store(error) => Self::Store(error),
            error => Self::Keys(error),
        }
    }
}
