//! Which rooms' inboxes are this node's to work off, where several nodes share a database.

use std::collections::BTreeMap;

use myelin_store::{
    Sequence, Store, StoreError, StoreResult,
    followers::{self, Lease},
};

/// A node that does not come back for this long is taken to be gone.
const LEASE_MS: i64 = 30_000;

/// The leases that a node has. They only keep two nodes from doing the same work: what a node does
/// without one is done right, too.
#[derive(Default)]
pub(super) struct Leases {
    holder: Option<i64>,
    held: BTreeMap<i64, Lease>,
}

impl Leases {
    /// Takes or keeps the lease of a room. False: another node has it.
    pub(super) async fn hold(
        &mut self,
        store: &Store,
        room: i64,
        now_ms: i64,
    ) -> StoreResult<bool> {
        if !store.is_shared() {
            return Ok(true);
        }
        self.held.retain(|_, lease| lease.until_ms() > now_ms);
        if let Some(lease) = self.held.remove(&room) {
            if lease.until_ms() - now_ms > LEASE_MS / 2 {
                self.held.insert(room, lease);
                return Ok(true);
            }
            if let Some(lease) = followers::renew(store, &lease, now_ms, LEASE_MS).await? {
                self.held.insert(room, lease);
                return Ok(true);
            }
        }
        let holder = self.holder(store).await?;
        let name = format!("inbox/{room}");
        let lease = followers::claim(store, &name, holder, now_ms, LEASE_MS).await?;
        let is_ours = lease.is_some();
        self.held.extend(lease.map(|lease| (room, lease)));
        Ok(is_ours)
    }

    /// Gives all leases back, so that no other node need wait until they run out.
    pub(super) async fn release(self, store: &Store) {
        for lease in self.held.into_values() {
            if let Err(error) = followers::release(store, lease).await {
                tracing::debug!(%error, "a lease has to run out");
            }
        }
    }

    async fn holder(&mut self, store: &Store) -> StoreResult<i64> {
        if let Some(holder) = self.holder {
            return Ok(holder);
        }
        let numbers = store.next_numbers(Sequence::Node, 1).await?;
        let holder = numbers.first().copied();
        let holder = holder.ok_or(StoreError::Missing { table: "sequences" })?;
        self.holder = Some(holder);
        Ok(holder)
    }
}
