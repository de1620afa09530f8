//! A user's devices.

use myelin_core::server::Server;
use myelin_store::{
    Store, StoreError, StoreResult, WriteSet, device_keys,
    sessions::{self, SeenDevice},
};
use ruma::{DeviceId, OwnedDeviceId};

use crate::{
    encryption::Change,
    removal::{DEVICES_PER_SET, remove},
    session::DEVICE_TEXT_MAX,
    uia::{Approval, ApprovalError},
};

/// Why a device stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The user has no such device.
    #[error("the user has no such device")]
    NotFound,
    /// The name is too long.
    #[error("the display name is too long")]
    NameTooLong,
    /// The store failed.
    #[error("the device was not changed")]
    Store(#[from] StoreError),
}

/// All devices of a user, by id.
pub async fn list_devices(store: &Store, user_number: i64) -> StoreResult<Vec<SeenDevice>> {
    sessions::list_seen(&mut store.read(), user_number).await
}

/// One device of a user.
pub async fn find_device(
    store: &Store,
    user_number: i64,
    device: &DeviceId,
) -> StoreResult<Option<SeenDevice>> {
    // Nobody has many, and only the list joins what is asked for.
    let devices = list_devices(store, user_number).await?;
    Ok(devices
        .into_iter()
        .find(|seen| seen.device_id == device.as_str()))
}

/// Gives a device another name.
pub async fn rename_device(
    store: &Store,
    user_number: i64,
    device: &DeviceId,
    display_name: Option<&str>,
) -> Result<(), DeviceError> {
    if display_name.is_some_and(|name| name.len() > DEVICE_TEXT_MAX) {
        return Err(DeviceError::NameTooLong);
    }
    let mut attempts = store.attempts();
    loop {
        let mut read = store.read();
        let known = sessions::find_device(&mut read, user_number, device.as_str()).await?;
        let known = known.ok_or(DeviceError::NotFound)?;
        // Nothing given, or nothing new.
        if display_name.is_none() || known.display_name.as_deref() == display_name {
            return Ok(());
        }
        let mut writes = WriteSet::new();
        sessions::rename(&mut writes, &known, display_name);
        let owner = (user_number, device.as_str());
        if device_keys::find(&mut read, owner).await?.is_some() {
            // The name is shown beside the keys.
            let change = Change::of_devices(vec![device.to_string()]);
            change.tell(&mut read, &mut writes, user_number).await?;
        }
        if attempts.commit(writes).await?.is_some() {
            return Ok(());
        }
    }
}

/// Removes devices of who is logged in; those that are gone already count as removed.
pub async fn delete_devices(
    server: &Server,
    store: &Store,
    approval: &Approval,
    user_number: i64,
    devices: &[OwnedDeviceId],
) -> Result<(), ApprovalError> {
    let mut attempts = store.attempts();
    let mut approval = Some(approval);
    loop {
        let mut read = store.read();
        let mut found = sessions::list_devices(&mut read, user_number).await?;
        found.retain(|device| devices.iter().any(|id| id.as_str() == device.device_id));
        found.truncate(DEVICES_PER_SET);
        if found.is_empty() && approval.is_none() {
            return Ok(());
        }
        let mut writes = WriteSet::new();
        if let Some(approval) = approval {
            approval
                .redeem_for_user(&mut read, &mut writes, server.now_ms())
                .await?;
        }
        if !found.is_empty() {
            remove(&mut read, &mut writes, user_number, &found).await?;
        }
        if attempts.commit(writes).await?.is_some() {
            // The first slice uses it up; each slice may meet its own conflicts.
            approval = None;
            attempts = store.attempts();
        }
    }
}
