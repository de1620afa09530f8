//! What a client's request carries besides its wish: the transaction that names it, the device
//! that made it.

use myelin_store::{
    StoreResult, WriteSet,
    transactions::{self, Transaction},
};
use ruma::DeviceId;

use crate::Rooms;

/// Names a request that a client may repeat (spec: "Transaction identifiers").
#[derive(Clone, Copy, Debug)]
pub struct ClientTransaction<'a> {
    /// The client's device.
    pub device: &'a str,
    /// The endpoint: equal ids on different endpoints are different transactions.
    pub endpoint: &'a str,
    /// The client's id.
    pub txn_id: &'a str,
}

/// The device behind a request, whose last activity is recorded with what it did.
#[derive(Clone, Copy, Debug)]
pub struct ActingDevice<'a> {
    /// The device.
    pub device: &'a DeviceId,
    /// When it was last seen, as far as that is recorded.
    pub last_seen_ms: u64,
}

impl ClientTransaction<'_> {
    /// The transaction of a user at a place: what the path names besides the transaction id.
    pub(crate) fn of(self, user: i64, place: &str) -> Transaction {
        Transaction {
            user,
            device: self.device.to_owned(),
            scope: format!("{} {place}", self.endpoint),
            txn_id: self.txn_id.to_owned(),
        }
    }
}

impl Rooms {
    /// The number that the request was answered with, if this is its repetition.
    pub(crate) async fn answered(
        &self,
        transaction: Option<&Transaction>,
    ) -> StoreResult<Option<i64>> {
        match transaction {
            Some(transaction) => transactions::find(&mut self.store.read(), transaction).await,
            None => Ok(None),
        }
    }

    /// Remembers an answer in the set of what it tells of.
    pub(crate) fn remember(
        &self,
        writes: &mut WriteSet,
        transaction: Option<&Transaction>,
        result: i64,
    ) {
        if let Some(transaction) = transaction {
            let now_ms = i64::try_from(self.server.now_ms()).unwrap_or(i64::MAX);
            transactions::insert(writes, transaction, result, now_ms);
        }
    }

    /// Records that a device was active.
    pub(crate) fn note_activity(
        &self,
        writes: &mut WriteSet,
        user: i64,
        acting: Option<ActingDevice<'_>>,
    ) {
        if let Some(ActingDevice {
            device,
            last_seen_ms,
        }) = acting
        {
            myelin_accounts::touch(writes, user, device, last_seen_ms, self.server.now_ms());
        }
    }
}
