//! Transactions of other servers: what they hold is taken into the inbox and acknowledged.

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::Ordering,
};

use bytes::Bytes;
use myelin_core::{
    event::{self, Event},
    sticky,
    transaction::{claimed_id, room_of},
};
use myelin_store::{
    Read, StoreError, StoreResult, WriteSet,
    inbox::{self, Received},
    joining_rooms, received_transactions, room_servers, rooms,
};
use ruma::{OwnedRoomId, RoomVersionId, ServerName};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::Rooms;

/// Events of one room by one server that may wait to be worked off; a server that sends more is to
/// wait itself, and no other with it.
const WAITING_MAX: i64 = 1_000;
/// When a server that has too much here may come with the same again.
const RETRY_AFTER_MS: u64 = 30_000;

/// What another server sends at once.
#[derive(Debug)]
pub struct Transaction<'a> {
    /// Who sends it, as its signature shows.
    pub origin: &'a ServerName,
    /// What it calls the transaction.
    pub txn_id: &'a str,
    /// Events, as it calls them.
    pub pdus: &'a [Box<RawValue>],
    /// What passes.
    pub edus: &'a [Box<RawValue>],
}

/// Why a transaction was not taken.
#[derive(Debug, thiserror::Error)]
pub enum TakeTransactionError {
    /// A sticky event in it has to wait, as too much of its sender's server does already. Of other
    /// events the answer says so one by one; but what is sticky a server must send again (MSC4354,
    /// "Rate limits"), and sends nothing again that was answered with 200.
    #[error("too much waits to be worked off")]
    TooMuch {
        /// When it may be sent again.
        retry_after_ms: u64,
    },
    /// The database failed.
    #[error("the transaction could not be stored")]
    Store(#[from] StoreError),
}

/// What a transaction is answered with.
#[derive(Debug, Default, Serialize)]
struct Answer {
    pdus: BTreeMap<String, Fate>,
}

/// What became of a PDU: an empty object is good news.
#[derive(Debug, Default, Serialize)]
struct Fate {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

/// A room that PDUs are about.
#[derive(Clone)]
struct Target {
    room: i64,
    version: RoomVersionId,
    refused: Option<Refused>,
}

/// Why nothing is taken for a room.
#[derive(Clone, Copy)]
enum Refused {
    /// The room's list of servers is against it.
    KeptOut,
    /// Too much waits already.
    ForNow,
}

impl Refused {
    fn message(self) -> &'static str {
        match self {
            Self::KeptOut => "the room keeps your server out",
            Self::ForNow => "too much waits to be worked off; send it again later",
        }
    }
}

impl Rooms {
    /// Takes in a transaction and gives the answer, a JSON object, once everything is durable. A
    /// repetition is answered as it was the first time, and does nothing else.
    pub async fn take_transaction(
        &self,
        transaction: Transaction<'_>,
    ) -> Result<Bytes, TakeTransactionError> {
        let origin = self.store.intern(&[transaction.origin.as_bytes()]).await?;
        let origin = *origin
            .first()
            .ok_or(StoreError::Missing { table: "interned" })?;
        let key = (origin, transaction.txn_id);
        let mut read = self.store.read();
        if let Some(answer) = received_transactions::find(&mut read, origin, key.1).await? {
            return Ok(answer);
        }
        let mut writes = WriteSet::new();
        // First, because nothing of what has to come again takes effect.
        let answer = self
            .take_pdus(&mut read, &mut writes, origin, &transaction)
            .await?;
        for edu in transaction.edus {
            self.receive_edu(transaction.origin, edu).await?;
        }
        let answer = serde_json::to_vec(&answer).map_err(|_| StoreError::Malformed {
            table: "received_transactions",
            reason: "an answer cannot be written",
        })?;
        let (answer, now_ms) = (Bytes::from(answer), self.server.now_ms().cast_signed());
        received_transactions::insert(&mut writes, key, answer.clone(), now_ms);
        match self.store.commit(writes).await {
            Ok(_) => Ok(answer),
            // The same transaction came twice at once; the other one was quicker.
            Err(StoreError::Conflict) => received_transactions::find(&mut read, origin, key.1)
                .await?
                .ok_or(StoreError::Contended.into()),
            Err(error) => Err(error.into()),
        }
    }

    async fn take_pdus(
        &self,
        read: &mut Read,
        writes: &mut WriteSet,
        origin: i64,
        transaction: &Transaction<'_>,
    ) -> Result<Answer, TakeTransactionError> {
        let mut targets: HashMap<OwnedRoomId, Option<Target>> = HashMap::new();
        let mut answer = Answer::default();
        let now_ms = self.server.now_ms().cast_signed();
        for pdu in transaction.pdus {
            let place = self.taken_pdus.fetch_add(1, Ordering::Relaxed);
            let Some(room_id) = room_of(pdu) else {
                tracing::debug!(origin = %transaction.origin, "a PDU without a room is dropped");
                continue;
            };
            if !targets.contains_key(&room_id) {
                let server = (transaction.origin, origin);
                let found = self.target(read, &room_id, server).await?;
                targets.insert(room_id.clone(), found);
            }
            let Some(target) = targets.get(&room_id).cloned().flatten() else {
                let origin = transaction.origin;
                let taken = self.take_withdrawal(origin, &room_id, pdu).await?;
                match taken.map(|event| event.event_id.to_string()) {
                    Some(id) => drop(answer.pdus.insert(id, Fate::default())),
                    None => refuse(&mut answer, pdu, "this server is not in the room"),
                }
                continue;
            };
            let event = match event::parse(pdu.get().as_bytes(), &target.version) {
                Ok(event) => event,
                Err(error) => {
                    tracing::debug!(origin = %transaction.origin, %room_id, %error, "no PDU");
                    refuse(&mut answer, pdu, "it is not an event of the room's version");
                    continue;
                }
            };
            let error = match target.refused {
                None => {
                    inbox::put(writes, &received(&target, origin, &event, (now_ms, place)));
                    None
                }
                Some(Refused::ForNow) if is_sticky(&event, now_ms) => {
                    let retry_after_ms = RETRY_AFTER_MS;
                    return Err(TakeTransactionError::TooMuch { retry_after_ms });
                }
                Some(refused) => Some(refused.message()),
            };
            let fate = Fate { error };
            answer.pdus.insert(event.event_id.to_string(), fate);
        }
        if !writes.is_empty() {
            inbox::wake(writes);
        }
        Ok(answer)
    }

    /// What there is to know of a room for a PDU; None: this server is not in it.
    async fn target(
        &self,
        read: &mut Read,
        room_id: &OwnedRoomId,
        (origin, origin_number): (&ServerName, i64),
    ) -> StoreResult<Option<Target>> {
        let Some(room) = self.find_number(room_id).await? else {
            return Ok(None);
        };
        if !self.is_here(read, room).await? {
            return self.joining_target(read, (room, origin_number)).await;
        }
        let Some(row) = rooms::find(read, room).await? else {
            return Ok(None);
        };
        let Ok(version) = RoomVersionId::try_from(row.room_version.as_str()) else {
            return Ok(None);
        };
        let refused = if self.row_lets_server(read, &row, origin).await? {
            refused_for_now(read, (room, origin_number)).await?
        } else {
            Some(Refused::KeptOut)
        };
        Ok(Some(Target {
            room,
            version,
            refused,
        }))
    }

    /// The same of a room that somebody here is about to come into: the others believe that they
    /// are in it already, and send an event once. Whom the room keeps out is seen when it is here.
    async fn joining_target(
        &self,
        read: &mut Read,
        (room, origin): (i64, i64),
    ) -> StoreResult<Option<Target>> {
        let now_ms = self.server.now_ms().cast_signed();
        let version = joining_rooms::find(read, room, now_ms).await?;
        let version = version.and_then(|version| RoomVersionId::try_from(version).ok());
        let Some(version) = version else {
            return Ok(None);
        };
        Ok(Some(Target {
            room,
            version,
            refused: refused_for_now(read, (room, origin)).await?,
        }))
    }

    /// Whether users of this server are joined to a room.
    pub(crate) async fn is_here(&self, read: &mut Read, room: i64) -> StoreResult<bool> {
        let name = self.server.name.as_bytes();
        match self.store.find_interned(name).await? {
            Some(own) => Ok(room_servers::count(read, room, own).await? > 0),
            None => Ok(false),
        }
    }
}

fn received(
    target: &Target,
    origin: i64,
    event: &Event,
    (received_ms, place): (i64, i64),
) -> Received {
    Received {
        room: target.room,
        id: event.event_id.to_string(),
        origin,
        json: event.json.to_string(),
        received_ms,
        place,
        failures: 0,
        due_ms: received_ms,
    }
}

async fn refused_for_now(
    read: &mut Read,
    (room, origin): (i64, i64),
) -> StoreResult<Option<Refused>> {
    let waiting = inbox::count(read, room, origin, WAITING_MAX).await?;
    Ok((waiting >= WAITING_MAX).then_some(Refused::ForNow))
}

fn is_sticky(event: &Event, now_ms: i64) -> bool {
    let now_ms = now_ms.unsigned_abs();
    let until_ms = sticky::until_ms(&event.json, event.origin_server_ts, now_ms);
    until_ms.is_some_and(|until_ms| until_ms > now_ms)
}

/// The answer names events by their ids, so only one that says its own can be told of.
fn refuse(answer: &mut Answer, pdu: &RawValue, error: &'static str) {
    if let Some(event_id) = claimed_id(pdu) {
        answer.pdus.insert(event_id, Fate { error: Some(error) });
    }
}
