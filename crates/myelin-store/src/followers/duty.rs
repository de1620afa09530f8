//! Work that one node at a time does for as long as it runs, by lease.

use std::{
    error::Error,
    pin::{Pin, pin},
    time::Duration,
};

use tokio::time::sleep;

use super::{Lease, claim, free_held, release, renew};
use crate::{Sequence, Store, StoreError, StoreResult};

/// A node that does not renew its lease for this long is taken to be gone.
const LEASE_MS: i64 = 30_000;
/// The lease is renewed when it has less than this left.
const RENEW_MS: i64 = 20_000;
/// How often a node that does not work looks whether it has to.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The pause after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// What one node at a time does.
pub trait Duty {
    /// The follower whose lease it needs.
    const FOLLOWER: &'static str;
    /// What it is called in the program's log: "sending to other servers".
    const NAME: &'static str;

    /// The store that keeps the lease.
    fn store(&self) -> &Store;

    /// The clock that the lease runs by, in milliseconds since 1970.
    fn now_ms(&self) -> i64;

    /// Works until `stop` returns, or until something goes wrong: then the work begins anew, on
    /// this node or another. `lease` must be as it was last written when this returns, so that it
    /// can be given back.
    fn work(
        &self,
        lease: &mut Lease,
        stop: Pin<&mut (impl Future<Output = ()> + Send)>,
    ) -> impl Future<Output = StoreResult<()>> + Send;
}

/// Does its duty until `stop` returns, whenever no other node does.
pub async fn run<D: Duty>(duty: &D, stop: impl Future<Output = ()> + Send) {
    let mut stop = pin!(stop);
    let mut holder = None;
    loop {
        let pause = tokio::select! {
            biased;
            lease = claim_for_run(duty, &mut holder) => match lease {
                Ok(Some(lease)) => match hold(duty, lease, stop.as_mut()).await {
                    Ok(()) => return,
                    Err(error) => report(D::NAME, &error),
                },
                Ok(None) => LOOK_EVERY,
                Err(error) => report(D::NAME, &error),
            },
            () = &mut stop => return,
        };
        tokio::select! {
            biased;
            () = &mut stop => return,
            () = sleep(pause) => {}
        }
    }
}

/// Works while the lease is held, then gives it back.
async fn hold<D: Duty>(
    duty: &D,
    mut lease: Lease,
    stop: Pin<&mut (impl Future<Output = ()> + Send)>,
) -> StoreResult<()> {
    let result = duty.work(&mut lease, stop).await;
    // If it was lost, another has it already.
    if let Err(error) = release(duty.store(), lease).await {
        report(D::NAME, &error);
    }
    result
}

/// Takes the lease if nobody has it. `holder` is this run's number, once it has one.
async fn claim_for_run<D: Duty>(duty: &D, holder: &mut Option<i64>) -> StoreResult<Option<Lease>> {
    let store = duty.store();
    let holder = if let Some(holder) = *holder {
        holder
    } else {
        let numbers = store.next_numbers(Sequence::Node, 1).await?;
        let number = numbers.first().copied();
        *holder.insert(number.ok_or(StoreError::Missing { table: "sequences" })?)
    };
    if !store.is_shared() {
        // Whoever holds it is gone: only one process has this database.
        free_held(store, D::FOLLOWER).await?;
    }
    claim(store, D::FOLLOWER, holder, duty.now_ms(), lease_ms(store)).await
}

/// For how long such a lease is held. Where only one process writes the database, it need not be
/// renewed.
fn lease_ms(store: &Store) -> i64 {
    if store.is_shared() {
        LEASE_MS
    } else {
        i64::MAX
    }
}

/// Notes in the program's log what went wrong with some work; returns how long to wait.
pub fn report(work: &str, error: &StoreError) -> Duration {
    match error {
        // The lease is lost, or somebody else has changed a row: it begins again.
        StoreError::Conflict => tracing::debug!("{work} starts over"),
        error => tracing::warn!(error = error as &dyn Error, "{work} must wait"),
    }
    PAUSE
}

impl Lease {
    /// Whether the lease of a duty runs out soon.
    pub fn is_short(&self, now_ms: i64) -> bool {
        self.until_ms.saturating_sub(now_ms) < RENEW_MS
    }

    /// The lease of a duty held from now on for as long as one is, once it is written by
    /// [`super::advance`].
    #[must_use]
    pub fn kept(self, store: &Store, now_ms: i64) -> Self {
        self.prolonged(now_ms.saturating_add(lease_ms(store)))
    }

    /// Renews the lease of a duty if it runs out soon.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`]: it is lost.
    pub async fn keep(&mut self, store: &Store, now_ms: i64) -> StoreResult<()> {
        if self.is_short(now_ms) {
            let renewed = renew(store, self, now_ms, lease_ms(store)).await?;
            *self = renewed.ok_or(StoreError::Conflict)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
