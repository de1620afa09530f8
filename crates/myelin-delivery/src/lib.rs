//! What follows the log: the federation sender, and the count of notifications.
//!
//! One node at a time sends, by lease. It passes over the log once and gives what is to be sent to
//! the queues of the servers in the event's room; a server that does not take it is behind, gets a
//! row of its own and is tried again when its time has come. Start reading at [`Delivery::run`],
//! then `sender.rs`; for the
//! counts at [`Notifications::run`].

mod back_off;
mod catch_up;
mod checkpoint;
mod edus;
mod encryption;
mod ephemeral;
mod notifications;
mod operate;
mod pass;
mod queue;
mod report;
mod room_map;
mod sender;
mod sticky;
mod tell;
mod transaction;

use std::{pin::pin, sync::Arc, time::Duration};

use myelin_core::server::Server;
use myelin_net::Federation;
use myelin_rooms::Rooms;
use myelin_store::{
    Store, StoreResult,
    followers::{self, Lease},
};
use tokio::time::sleep;

pub use notifications::Notifications;
pub use operate::{BehindServer, list_behind, retry};

use crate::{report::report, sender::Sender};

/// The follower whose cursor all servers without a row of their own have reached.
const FOLLOWER: &str = "federation";
/// What it does, for the log.
pub(crate) const WORK: &str = "sending to other servers";
/// How often a node that does not send looks whether it has to.
const LOOK_EVERY: Duration = Duration::from_secs(5);

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
                        Err(error) => report(WORK, &error),
                    },
                    Ok(None) => LOOK_EVERY,
                    Err(error) => report(WORK, &error),
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
        followers::claim_for_run(&self.store, FOLLOWER, holder, self.now_ms()).await
    }

    /// Sends while the lease is held; returns once `stop` has, or with what went wrong.
    async fn send(&self, lease: Lease, stop: impl Future<Output = ()>) -> StoreResult<()> {
        let mut sender = Sender::new(self.clone(), lease).await?;
        let result = sender.work(stop).await;
        // If it was lost, another has it already.
        if let Err(error) = followers::release(&self.store, sender.into_lease()).await {
            report(WORK, &error);
        }
        result
    }

    fn now_ms(&self) -> i64 {
        self.server.now_ms().cast_signed()
    }
}
