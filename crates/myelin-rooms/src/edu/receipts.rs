//! `m.receipt`: how far the users of another server have read.

use std::collections::BTreeMap;

use myelin_store::{
    Read, StoreError, WriteSet,
    early_receipts::{self, EarlyReceipt},
    events::{Status, StoredEvent},
    receipts::ReceiptKey,
};
use ruma::{RoomId, ServerName};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::user_of;
use crate::{
    Rooms,
    receipts::{MAIN, WantedReceipt, find_in_room},
};

/// Most receipts of one EDU that have an effect. No server sends as many.
const RECEIPTS_MAX: usize = 500;
/// Receipts of one room that wait for their events.
const EARLY_MAX: i64 = 1_000;
/// How long they wait: longer than an event is waited for.
const EARLY_FOR_MS: i64 = 24 * 60 * 60 * 1_000;
/// Early receipts that are looked at together.
const EARLY_BATCH: i64 = 100;
/// No event id is longer.
const ID_BYTES_MAX: usize = 255;

/// The content of `m.receipt`: by room, by type, by user. It is read value by value, so that one
/// that is malformed is dropped alone.
pub(super) type ReceiptEdu = BTreeMap<String, Value>;

/// One receipt in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EduReceipt {
    /// The event up to which was read; the only one.
    pub event_ids: Vec<String>,
    /// What is told of it.
    pub data: EduReceiptData,
}

/// What is told of a receipt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EduReceiptData {
    /// When it was sent.
    pub ts: i64,
    /// `main` or the id of a thread's root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<String>,
}

impl Rooms {
    pub(super) async fn receive_receipts(
        &self,
        origin: &ServerName,
        edu: &ReceiptEdu,
    ) -> Result<(), StoreError> {
        let mut all = Vec::new();
        for (room_id, types) in edu {
            let of_users = types["m.read"].as_object().into_iter().flatten();
            all.extend(of_users.map(|(user_id, receipt)| (room_id, user_id, receipt)));
            all.truncate(RECEIPTS_MAX);
        }
        // Those of one room follow each other, so its list of servers is asked once.
        let mut asked: Option<(&str, bool)> = None;
        for (room_id, user_id, receipt) in all {
            let is_let = match asked {
                Some((room, is_let)) if room == room_id => is_let,
                _ => self.lets_receipts(room_id, origin).await?,
            };
            asked = Some((room_id, is_let));
            if !is_let {
                continue;
            }
            match EduReceipt::deserialize(receipt) {
                Ok(receipt) => {
                    self.receive_receipt(origin, room_id, (user_id, receipt))
                        .await?;
                }
                Err(error) => {
                    tracing::debug!(%origin, %user_id, %error, "a malformed receipt is dropped");
                }
            }
        }
        Ok(())
    }

    async fn lets_receipts(&self, room_id: &str, origin: &ServerName) -> Result<bool, StoreError> {
        match <&RoomId>::try_from(room_id) {
            Ok(room_id) => {
                self.lets_server(&mut self.store.read(), room_id, origin)
                    .await
            }
            Err(_) => Ok(false),
        }
    }

    async fn receive_receipt(
        &self,
        origin: &ServerName,
        room_id: &str,
        (user_id, receipt): (&str, EduReceipt),
    ) -> Result<(), StoreError> {
        let mut read = self.store.read();
        let Ok(room_id) = <&RoomId>::try_from(room_id) else {
            return Ok(());
        };
        let Some(user) = user_of(origin, user_id) else {
            tracing::debug!(%origin, %user_id, "a receipt of somebody else's user");
            return Ok(());
        };
        let Some((room, user)) = self.joined_at(&mut read, room_id, user).await? else {
            return Ok(());
        };
        let Some(event_id) = receipt.event_ids.into_iter().next() else {
            return Ok(());
        };
        let receipt = EarlyReceipt {
            room,
            event_id,
            user,
            thread: receipt.data.thread_id.filter(|thread| !thread.is_empty()),
            ts_ms: receipt.data.ts,
            received_ms: self.server.now_ms().cast_signed(),
        };
        match find_in_room(&mut read, room, &receipt.event_id).await? {
            Some(event) if event.status != Status::Outlier => {
                self.take_receipt(&mut read, (receipt, event), false).await
            }
            _ => self.keep_receipt(&mut read, receipt).await,
        }
    }

    /// Keeps a receipt until its event is here: of what users of one server have said, others of it
    /// have often read before it is worked off here.
    async fn keep_receipt(&self, read: &mut Read, receipt: EarlyReceipt) -> Result<(), StoreError> {
        let room = receipt.room;
        let too_long = |id: &str| id.len() > ID_BYTES_MAX;
        if too_long(&receipt.event_id)
            || receipt.thread.as_deref().is_some_and(too_long)
            || early_receipts::count(read, room, EARLY_MAX).await? >= EARLY_MAX
        {
            tracing::debug!(room, event = %receipt.event_id, "an early receipt is dropped");
            return Ok(());
        }
        let mut writes = WriteSet::new();
        early_receipts::insert(&mut writes, &receipt);
        self.store.commit(writes).await?;
        // The event may have come meanwhile.
        self.take_early_receipts(room).await
    }

    /// Lets the receipts of a room take effect whose events have come, and forgets those that
    /// have waited in vain.
    pub(crate) async fn take_early_receipts(&self, room: i64) -> Result<(), StoreError> {
        let before_ms = self.server.now_ms().cast_signed() - EARLY_FOR_MS;
        let mut read = self.store.read();
        loop {
            let over = early_receipts::list_over(&mut read, room, before_ms, EARLY_BATCH).await?;
            if over.is_empty() {
                return Ok(());
            }
            for receipt in over {
                self.end_wait(&mut read, receipt).await?;
            }
        }
    }

    async fn end_wait(&self, read: &mut Read, receipt: EarlyReceipt) -> Result<(), StoreError> {
        let event = find_in_room(read, receipt.room, &receipt.event_id).await?;
        if let Some(event) = event.filter(|event| event.status == Status::Accepted) {
            return self.take_receipt(read, (receipt, event), true).await;
        }
        let mut writes = WriteSet::new();
        early_receipts::delete(&mut writes, &receipt);
        self.store.commit(writes).await?;
        Ok(())
    }

    /// Moves a user's receipt on to an event that is here. `waited`: it waited for that.
    async fn take_receipt(
        &self,
        read: &mut Read,
        (receipt, event): (EarlyReceipt, StoredEvent),
        waited: bool,
    ) -> Result<(), StoreError> {
        // A thread that nobody can see gets no rows.
        let is_seen = match receipt.thread.as_deref() {
            None | Some(MAIN) => true,
            Some(root) => find_in_room(read, receipt.room, root).await?.is_some(),
        };
        let wanted = WantedReceipt {
            key: ReceiptKey {
                room: receipt.room,
                user: receipt.user,
                private: false,
                thread: receipt.thread.clone(),
            },
            event,
            ts_ms: receipt.ts_ms,
        };
        let mut attempts = self.store.attempts();
        loop {
            let mut writes = WriteSet::new();
            if is_seen {
                self.move_receipts(read, &mut writes, std::slice::from_ref(&wanted))
                    .await?;
            }
            if waited {
                early_receipts::delete(&mut writes, &receipt);
            }
            if writes.is_empty() || attempts.commit(writes).await?.is_some() {
                return Ok(());
            }
        }
    }
}
