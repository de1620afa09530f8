//! The right to follow the log for a purpose: one node at a time has it.

use myelin_store::{
    Sequence, Store, StoreError, StoreResult,
    followers::{self, Lease},
};

/// A node that does not renew its lease for this long is taken to be gone.
const LEASE_MS: i64 = 30_000;

/// Claims a lease, if nobody has it. `holder` is this run's number, once it has one.
pub(crate) async fn claim(
    store: &Store,
    follower: &str,
    holder: &mut Option<i64>,
    now_ms: i64,
) -> StoreResult<Option<Lease>> {
    let holder = if let Some(holder) = *holder {
        holder
    } else {
        let numbers = store.next_numbers(Sequence::Node, 1).await?;
        let number = numbers.first().copied();
        *holder.insert(number.ok_or(StoreError::Missing { table: "sequences" })?)
    };
    if !store.is_shared() {
        // Whoever holds it is gone: only one process has this database.
        followers::free_held(store, follower).await?;
    }
    followers::claim(store, follower, holder, now_ms, lease_ms(store)).await
}

/// Where only one process writes the database, a lease need not be renewed.
pub(crate) fn lease_ms(store: &Store) -> i64 {
    if store.is_shared() {
        LEASE_MS
    } else {
        i64::MAX
    }
}
