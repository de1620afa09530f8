//! The end of sessions.

use myelin_store::{
    Store, StoreResult, WriteSet,
    sessions::{self, Device},
};
use ruma::DeviceId;

use crate::removal::{DEVICES_PER_SET, remove};

/// Ends the session of a device: its token is dead and the device is gone.
pub async fn logout(store: &Store, user_number: i64, device: &DeviceId) -> StoreResult<()> {
    let mut attempts = store.attempts();
    loop {
        let mut read = store.read();
        // Whoever removed it first has done what we want.
        let Some(device) = sessions::find_device(&mut read, user_number, device.as_str()).await?
        else {
            return Ok(());
        };
        let mut writes = WriteSet::new();
        remove(&mut read, &mut writes, user_number, &[device]).await?;
        if attempts.commit(writes).await?.is_some() {
            // What waited for it may have been too much for one set.
            attempts = store.attempts();
        }
    }
}

/// Ends all sessions of a user.
pub async fn logout_all(store: &Store, user_number: i64) -> StoreResult<()> {
    logout_others(store, user_number, None).await
}

/// Ends all sessions of a user but that of one device.
pub(crate) async fn logout_others(
    store: &Store,
    user_number: i64,
    kept: Option<&DeviceId>,
) -> StoreResult<()> {
    let mut attempts = store.attempts();
    loop {
        let devices = list_others(store, user_number, kept).await?;
        if devices.is_empty() {
            return Ok(());
        }
        let mut writes = WriteSet::new();
        remove(&mut store.read(), &mut writes, user_number, &devices).await?;
        if attempts.commit(writes).await?.is_some() {
            // Each slice may meet its own conflicts.
            attempts = store.attempts();
        }
    }
}

/// As many devices of a user as one set removes, without the one to be kept.
pub(crate) async fn list_others(
    store: &Store,
    user_number: i64,
    kept: Option<&DeviceId>,
) -> StoreResult<Vec<Device>> {
    let mut devices = sessions::list_devices(&mut store.read(), user_number).await?;
    devices.retain(|device| kept.is_none_or(|kept| kept.as_str() != device.device_id));
    devices.truncate(DEVICES_PER_SET);
    Ok(devices)
}
