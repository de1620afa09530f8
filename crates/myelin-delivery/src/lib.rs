//! What follows the log and goes out: the federation sender.
//!
//! One node at a time sends, by lease. It passes over the log once and gives what is to be sent to
//! the queues of the servers in the event's room; a server that does not take it is behind, gets a
//! row of its own and is tried again when its time has come. Start reading at [`Delivery::run`],
//! then `sender.rs`.

mod back_off;
mod catch_up;
mod checkpoint;
mod edus;
mod encryption;
mod ephemeral;
mod operate;
mod pass;
mod queue;
mod room_map;
mod sender;
mod tell;
mod transaction;

use std::{error::Error, pin::pin, sync::Arc, time::Duration};

use myelin_core::server::Server;
use myelin_net::Federation;
use myelin_rooms::Rooms;
use myelin_store::{
    Sequence, Store, StoreError, StoreResult,
    followers::{self, Lease},
};
use tokio::time::sleep;

pub use operate::{BehindServer, list_behind, retry};

use crate::sender::Sender;

/// The follower whose cursor all servers without a row of their own have reached.
const FOLLOWER: &str = "federation";
/// A node that does not renew its lease for this long is taken to be gone.
const LEASE_MS: i64 = 30_000;
/// How often a node that does not send looks whether it has to; and the pause after a failure.
const LOOK_EVERY: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_secs(1);

/// Sends to other servers.
#[derive(Clone)]
pub struct Delivery {
    server: Arc<Server>,
    store: Store,
    federation: Federation,
}

impl Delivery {
    /// Over the rooms of a node.
    pub fn new(rooms: &Rooms) -> Self {
        Self {
            server: rooms.server().clone(),
            store: rooms.store().clone(),
            federation: rooms.federation().clone(),
        }
    }

    /// Sends until `stop` returns, whenever no other node does.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let mut holder = None;
        loop {
            let pause = tokio::select! {
                biased;
                lease = self.claim(&mut holder) => match lease {
                    Ok(Some(lease)) => match self.send(lease, stop.as_mut()).await {
                        Ok(()) => return,
                        Err(error) => report(&error),
                    },
                    Ok(None) => LOOK_EVERY,
                    Err(error) => report(&error),
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

    /// Claims the lease, if nobody has it.
    async fn claim(&self, holder: &mut Option<i64>) -> StoreResult<Option<Lease>> {
        let holder = if let Some(holder) = *holder {
            holder
        } else {
            let numbers = self.store.next_numbers(Sequence::Node, 1).await?;
            let number = numbers.first().copied();
            *holder.insert(number.ok_or(StoreError::Missing { table: "sequences" })?)
        };
        if !self.store.is_shared() {
            // Whoever holds it is gone: only one process has this database.
            followers::free_held(&self.store, FOLLOWER).await?;
        }
        let lease_ms = lease_ms(&self.store);
        followers::claim(&self.store, FOLLOWER, holder, self.now_ms(), lease_ms).await
    }

    /// Sends while the lease is held; returns once `stop` has, or with what went wrong.
    async fn send(&self, lease: Lease, stop: impl Future<Output = ()>) -> StoreResult<()> {
        let mut sender = Sender::new(self.clone(), lease).await?;
        let result = sender.work(stop).await;
        // If it was lost, another has it already.
        if let Err(error) = followers::release(&self.store, sender.into_lease()).await {
            report(&error);
        }
        result
    }

    fn now_ms(&self) -> i64 {
        self.server.now_ms().cast_signed()
    }
}

/// Where only one process writes the database, a lease need not be renewed.
fn lease_ms(store: &Store) -> i64 {
    if store.is_shared() {
        LEASE_MS
    } else {
        i64::MAX
    }
}

/// Notes what went wrong; returns how long to wait.
fn report(error: &StoreError) -> Duration {
    match error {
        // The lease is lost, or an operator has changed a row: it begins again.
        StoreError::Conflict => tracing::debug!("sending to other servers starts over"),
        error => tracing::warn!(
            error = error as &dyn Error,
            "sending to other servers must wait"
        ),
    }
    PAUSE
}
