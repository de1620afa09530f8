//! Who is told that a user's devices have changed.

use myelin_core::membership::Membership;
use myelin_store::{Read, Store, StoreResult, WriteSet, device_lists, memberships};

/// The rooms whose members are told of a user's devices. Cost: the user's rooms.
pub(crate) async fn joined_rooms(read: &mut Read, user: i64) -> StoreResult<Vec<i64>> {
    let all = (0, i64::MAX);
    memberships::list_rooms_after(read, user, &[Membership::Join], all).await
}

/// Tells of a change again if its user has joined another room while it was committed: whoever saw
/// the user join before the change would otherwise not hear of it.
pub(crate) async fn retell(store: &Store, user: i64, told: &[i64]) -> StoreResult<()> {
    let rooms = joined_rooms(&mut store.read(), user).await?;
    if rooms.iter().all(|room| told.contains(room)) {
        return Ok(());
    }
    let mut writes = WriteSet::new();
    device_lists::log_change(&mut writes, user, &rooms);
    store.commit(writes).await.map(drop)
}
