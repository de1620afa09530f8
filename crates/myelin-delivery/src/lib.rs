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
mod joins;
mod member_events;
mod notifications;
mod operate;
mod pass;
mod queue;
mod room_map;
mod sender;
mod sticky;
mod tell;
mod transaction;

use std::{pin::Pin, sync::Arc};

use myelin_core::server::Server;
use myelin_net::Federation;
use myelin_rooms::Rooms;
use myelin_store::{
    Store, StoreResult,
    followers::{self, Duty, Lease},
};

pub use notifications::Notifications;
pub use operate::{BehindCounts, BehindServer, count_behind, list_behind, retry};

use crate::sender::Sender;

/// Sends to other servers.
#[derive(Clone)]
pub struct Delivery {
    server: Arc<Server>,
    store: Store,
    federation: Federation,
    rooms: Rooms,
}

impl Delivery {
    /// Over the rooms of a node.
    pub fn new(rooms: &Rooms) -> Self {
        Self {
            server: rooms.server().clone(),
            store: rooms.store().clone(),
            federation: rooms.federation().clone(),
            rooms: rooms.clone(),
        }
    }

    /// Sends until `stop` returns, whenever no other node does.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        followers::run(&self, stop).await;
    }
}

impl Duty for Delivery {
    /// The follower whose cursor all servers without a row of their own have reached.
    const FOLLOWER: &'static str = "federation";
    const NAME: &'static str = "sending to other servers";

    fn store(&self) -> &Store {
        &self.store
    }

    fn now_ms(&self) -> i64 {
        self.server.now_ms().cast_signed()
    }

    async fn work(
        &self,
        lease: &mut Lease,
        stop: Pin<&mut (impl Future<Output = ()> + Send)>,
    ) -> StoreResult<()> {
        let mut sender = Sender::new(self.clone(), lease.clone()).await?;
        let result = sender.work(stop).await;
        *lease = sender.into_lease();
        result
    }
}
