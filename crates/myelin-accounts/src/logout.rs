//! The end of a session.

use myelin_store::{
    Store, StoreResult, WriteSet,
    sessions::{self, Device},
};
use ruma::DeviceId;

/// Devices removed in one commit: three rows each, well below what a set may hold.
const DEVICES_PER_SET: usize = 500;

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
        if attempts
            .commit(removal(user_number, &[device]))
            .await?
            .is_some()
        {
            return Ok(());
        }
    }
}

/// Ends all sessions of a user.
pub async fn logout_all(store: &Store, user_number: i64) -> StoreResult<()> {
    let mut attempts = store.attempts();
    loop {
        let mut devices = sessions::list_devices(&mut store.read(), user_number).await?;
        if devices.is_empty() {
            return Ok(());
        }
        devices.truncate(DEVICES_PER_SET);
        if attempts
            .commit(removal(user_number, &devices))
            .await?
            .is_some()
        {
            // Each slice may meet its own conflicts.
            attempts = store.attempts();
        }
    }
}

fn removal(user_number: i64, devices: &[Device]) -> WriteSet {
    let mut writes = WriteSet::new();
    for device in devices {
        sessions::delete(&mut writes, device);
    }
    sessions::log_change(&mut writes, user_number);
    writes
}
