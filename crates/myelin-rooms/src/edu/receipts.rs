//! `m.receipt`: how far the users of another server have read.

use std::collections::BTreeMap;

use myelin_store::{StoreError, WriteSet, receipts::ReceiptKey};
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
        let Some(event_id) = receipt.event_ids.first() else {
            return Ok(());
        };
        let Some(event) = find_in_room(&mut read, room, event_id).await? else {
            return Ok(());
        };
        let thread = receipt.data.thread_id;
        // A thread that nobody can see gets no rows.
        if let Some(root) = thread.as_deref().filter(|thread| *thread != MAIN)
            && find_in_room(&mut read, room, root).await?.is_none()
        {
            return Ok(());
        }
        let wanted = WantedReceipt {
            key: ReceiptKey {
                room,
                user,
                private: false,
                thread,
            },
            event,
            ts_ms: receipt.data.ts,
        };
        let mut attempts = self.store.attempts();
        loop {
            let mut writes = WriteSet::new();
            self.move_receipts(&mut read, &mut writes, std::slice::from_ref(&wanted))
                .await?;
            if writes.is_empty() || attempts.commit(writes).await?.is_some() {
                return Ok(());
            }
        }
    }
}
