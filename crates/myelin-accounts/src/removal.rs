//! The end of a device, with everything that belongs to it.

use myelin_store::{
    Read, StoreResult, WriteSet, cross_signing, dehydrated_devices, device_keys, one_time_keys,
    sessions::{self, Device},
    to_device::{self, Place},
};

use crate::{encryption::Change, to_device::DELETIONS_PER_SET};

/// Devices removed in one commit: some ten rows each, well below what a set may hold.
pub(crate) const DEVICES_PER_SET: usize = 100;

/// Removes devices in a set, at least one of them or a part of what waits for it: who removes
/// devices does so until none is left. What is removed goes as a whole, and the set falls if the
/// device logs in or is sent something meanwhile.
pub(crate) async fn remove(
    read: &mut Read,
    writes: &mut WriteSet,
    user_number: i64,
    devices: &[Device],
) -> StoreResult<()> {
    let dehydrated = dehydrated_devices::find(read, user_number).await?;
    let mut removed = Vec::new();
    let mut messages_left = usize::try_from(DELETIONS_PER_SET).unwrap_or_default();
    for device in devices {
        let owner = (user_number, device.device_id.as_str());
        // Before the places: what is sent in between is not overlooked then.
        let queue = to_device::find_queue(read, owner).await?;
        let sent = queue.map(|queue| queue.sent);
        let places = match sent {
            Some(_) => to_device::list_places(read, owner, i64::MAX, DELETIONS_PER_SET).await?,
            None => Vec::new(),
        };
        if !fits(&places, &mut messages_left) {
            // This one's messages go first, if no other device has used the set up.
            if writes.is_empty() {
                to_device::delete(writes, owner, &places);
            }
            break;
        }
        to_device::delete(writes, owner, &places);
        to_device::delete_queue(writes, owner, sent);
        one_time_keys::delete_of_device(writes, owner);
        let keys = device_keys::find(read, owner).await?;
        let version = keys.map(|keys| keys.version);
        device_keys::delete(writes, owner, version);
        cross_signing::delete_signatures(writes, owner);
        if version.is_some() {
            removed.push(device.device_id.clone());
        }
        if dehydrated
            .as_ref()
            .is_some_and(|dry| dry.device_id == device.device_id)
        {
            dehydrated_devices::delete(writes, user_number);
        }
        sessions::delete(writes, device);
    }
    sessions::log_change(writes, user_number);
    if !removed.is_empty() {
        let change = Change::of_devices(removed);
        change.tell(read, writes, user_number).await?;
    }
    Ok(())
}

/// Whether a queue's messages are few enough to go with their device in this set.
fn fits(places: &[Place], messages_left: &mut usize) -> bool {
    let left = messages_left.checked_sub(places.len());
    // As many as were asked for: there may be more.
    match left.filter(|left| *left > 0) {
        Some(left) => {
            *messages_left = left;
            true
        }
        None => false,
    }
}
