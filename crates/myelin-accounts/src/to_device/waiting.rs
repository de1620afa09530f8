//! What waits for a device, or to be sent to another server: until it has arrived, and within bounds.

use myelin_store::{
    Store, StoreResult, WriteSet,
    to_device::{self, Queue},
};

/// Most messages that wait in one queue; of more, the oldest are dropped. A device that comes back
/// after that long has its keys from a backup or asks for them.
const WAITING_MAX: i64 = 10_000;
/// After how many more messages it is looked again whether too many wait.
const LOOK_EVERY: i64 = 256;
/// Messages taken out of a queue in one commit: two rows each.
pub(crate) const DELETIONS_PER_SET: i64 = 500;

/// Keeps a queue within its bound; `queue` is what it was before something was added.
pub(super) async fn bound(store: &Store, of: (i64, &str), queue: Queue) -> StoreResult<()> {
    if queue.sent - queue.looked_at >= LOOK_EVERY {
        drop_oldest(store, of, queue.sent, WAITING_MAX).await?;
    }
    Ok(())
}

/// Drops what waits in a queue beyond a number, the oldest first.
pub(super) async fn drop_oldest(
    store: &Store,
    device: (i64, &str),
    sent: i64,
    waiting_max: i64,
) -> StoreResult<()> {
    let mut read = store.read();
    let waiting = to_device::count(&mut read, device).await?;
    let mut excess = (waiting - waiting_max).max(0);
    if excess > 0 {
        let (user, device_id) = device;
        tracing::warn!(
            user,
            device_id,
            dropped = excess,
            "whoever does not fetch these messages has lost the oldest"
        );
    }
    let mut writes = WriteSet::new();
    to_device::note_look(&mut writes, device, sent);
    loop {
        let limit = excess.min(DELETIONS_PER_SET);
        if limit > 0 {
            let places = to_device::list_places(&mut read, device, i64::MAX, limit).await?;
            to_device::delete(&mut writes, device, &places);
        }
        store.commit(writes).await?;
        excess -= limit;
        if excess <= 0 {
            return Ok(());
        }
        writes = WriteSet::new();
    }
}

/// Deletes what has reached a device: everything up to this position of the log.
pub async fn acknowledge_to_device(
    store: &Store,
    user_number: i64,
    device: &str,
    up_to: i64,
) -> StoreResult<()> {
    let device = (user_number, device);
    loop {
        let mut read = store.read();
        let places = to_device::list_places(&mut read, device, up_to, DELETIONS_PER_SET).await?;
        if places.is_empty() {
            return Ok(());
        }
        let mut writes = WriteSet::new();
        to_device::delete(&mut writes, device, &places);
        store.commit(writes).await?;
    }
}
