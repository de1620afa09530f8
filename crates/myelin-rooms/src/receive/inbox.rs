//! Works off what other servers have sent: one task a room, whatever its length.
//!
//! A room's events are taken in the order of their arrival, and again in the order of their graph
//! where that is another. What cannot be judged yet, for want of keys or of events before it, waits
//! for help (`help.rs`) or its next attempt, and holds up nothing but what depends on it. Working one
//! off twice does nothing the second time, so a node that ends loses nothing.

mod help;
mod leases;

use std::{
    collections::{BTreeSet, VecDeque},
    error::Error,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use myelin_core::event::Event;
use myelin_store::{
    Read, StoreError, StoreResult, WriteSet,
    inbox::{self, INBOX_SUBJECT, Received},
    joining_rooms, received_transactions, rooms,
};
use ruma::{OwnedRoomId, OwnedServerName, RoomVersionId};
use serde_json::value::RawValue;
use tokio::{task::JoinSet, time::sleep};

use self::{help::Helpers, leases::Leases};
use super::{Outcome, ReceiveError};
use crate::{PduError, Rooms, numbers::parse};

/// Rooms that a node works on at once.
const ROOMS_MAX: usize = 16;
/// Events of a room that are looked at together.
const BATCH: i64 = 50;
/// The clock is looked at this often while something waits for its next attempt.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long keys may take before an event waits for its next attempt.
const KEYS_WITHIN: Duration = Duration::from_secs(2);
/// The pause before the second attempt; it doubles with each.
const PAUSE_MS: i64 = 2_000;
/// The longest pause between two attempts.
const PAUSE_MAX_MS: i64 = 600_000;
/// How long what comes before its room waits until it is looked at again.
const HELD_MS: i64 = 1_000;
/// After so many attempts what an event needs is not to be had: some three hours.
const ATTEMPTS_MAX: i64 = 25;
/// Transactions are remembered for this long.
const REMEMBERED_MS: i64 = 24 * 60 * 60 * 1_000;
/// Transactions that are forgotten together.
const FORGOTTEN: i64 = 500;

/// An event that waits in a room's inbox, verified.
struct Waiting {
    received: Received,
    event: Event,
}

/// A room that is being worked on.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) room: i64,
    pub(crate) room_id: OwnedRoomId,
    pub(crate) version: RoomVersionId,
}

impl Rooms {
    /// Works off the inbox of this database until `stop` returns, sharing the rooms with the other
    /// nodes that do the same.
    pub async fn work_off_inbox(&self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let watch = self.store.live().watch();
        watch.add(INBOX_SUBJECT);
        let mut leases = Leases::default();
        let helpers = Arc::<Helpers>::default();
        let mut work: JoinSet<(i64, StoreResult<()>)> = JoinSet::new();
        let mut busy = BTreeSet::new();
        loop {
            let mark = watch.mark();
            let started = self
                .start_rooms((&mut leases, &helpers), &mut work, &mut busy)
                .await;
            let due_ms = started.unwrap_or_else(|error| {
                tracing::warn!(error = &error as &dyn Error, "the inbox must wait");
                Some(self.now_ms())
            });
            let look_again = async {
                tokio::select! {
                    biased;
                    () = watch.changed_since(mark) => {}
                    () = helpers.helped() => {}
                    () = self.await_due(due_ms) => {}
                }
            };
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(done) = work.join_next() => {
                    // A panic was reported where it happened, and must not stop the others.
                    let Ok((room, result)) = done else { continue };
                    busy.remove(&room);
                    if let Err(error) = result {
                        tracing::warn!(room, error = &error as &dyn Error, "a room must wait");
                        sleep(LOOK_EVERY).await;
                    }
                }
                () = look_again => {}
            }
        }
        work.shutdown().await;
        self.end_help(&helpers).await;
        leases.release(&self.store).await;
    }

    /// Begins to work on rooms that have something to be done. The answer is when something that
    /// nobody will wake us for is due: later, or now where another node has the room.
    async fn start_rooms(
        &self,
        (leases, helpers): (&mut Leases, &Arc<Helpers>),
        work: &mut JoinSet<(i64, StoreResult<()>)>,
        busy: &mut BTreeSet<i64>,
    ) -> StoreResult<Option<i64>> {
        let now_ms = self.now_ms();
        let mut read = self.store.read();
        let limit = i64::try_from(2 * ROOMS_MAX).unwrap_or(i64::MAX);
        let in_work: Vec<i64> = busy.iter().copied().collect();
        for room in inbox::list_rooms(&mut read, now_ms, &in_work, limit).await? {
            if busy.len() >= ROOMS_MAX {
                return Ok(None);
            }
            if !leases.hold(&self.store, room, now_ms).await? {
                continue;
            }
            busy.insert(room);
            let (rooms, helpers) = (self.clone(), Arc::clone(helpers));
            work.spawn(async move { (room, rooms.work_off_room(room, &helpers).await) });
        }
        if busy.is_empty() {
            self.forget_transactions(now_ms).await?;
        }
        inbox::next_due(&mut read).await
    }

    async fn forget_transactions(&self, now_ms: i64) -> StoreResult<()> {
        let before_ms = now_ms - REMEMBERED_MS;
        let mut read = self.store.read();
        let old = received_transactions::list_older(&mut read, before_ms, FORGOTTEN).await?;
        if old.is_empty() {
            return Ok(());
        }
        let mut writes = WriteSet::new();
        for (origin, txn_id) in &old {
            received_transactions::delete(&mut writes, (*origin, txn_id));
        }
        self.store.commit(writes).await?;
        Ok(())
    }

    async fn work_off_room(&self, room: i64, helpers: &Arc<Helpers>) -> StoreResult<()> {
        loop {
            let mut read = self.store.read();
            let batch = inbox::list_due(&mut read, room, self.now_ms(), BATCH).await?;
            if batch.is_empty() {
                return self.take_early_receipts(room).await;
            }
            let row = rooms::find(&mut read, room).await?;
            let version = row.and_then(|row| row.room_version.as_str().try_into().ok());
            let name = self.store.interned(&[room]).await?.pop();
            let room_id = name.as_deref().and_then(parse);
            match (version, room_id) {
                (Some(version), Some(room_id)) if self.is_here(&mut read, room).await? => {
                    let place = Place {
                        room,
                        room_id,
                        version,
                    };
                    self.work_off_batch((&place, helpers), batch).await?;
                }
                _ if self.is_joining(&mut read, room).await? => self.hold_all(&batch).await?,
                // Everybody here has left since.
                _ => self.drop_all(&batch).await?,
            }
        }
    }

    /// Whether somebody here is about to come into a room.
    async fn is_joining(&self, read: &mut Read, room: i64) -> StoreResult<bool> {
        let found = joining_rooms::find(read, room, self.now_ms()).await?;
        Ok(found.is_some())
    }

    async fn hold_all(&self, batch: &[Received]) -> StoreResult<()> {
        let due_ms = self.now_ms().saturating_add(HELD_MS);
        let mut writes = WriteSet::new();
        for received in batch {
            inbox::hold(&mut writes, received, due_ms);
        }
        self.store.commit(writes).await?;
        Ok(())
    }

    async fn work_off_batch(
        &self,
        (place, helpers): (&Place, &Arc<Helpers>),
        batch: Vec<Received>,
    ) -> StoreResult<()> {
        let batch = self.let_through(place, batch).await?;
        let mut stuck = self.verify_batch(place, batch).await?;
        loop {
            let before = stuck.len();
            let left = self.take_in_turn(place, stuck).await?;
            if left.is_empty() {
                return Ok(());
            }
            if left.len() == before {
                return self.seek_help((place, helpers), left).await;
            }
            stuck = left;
        }
    }

    /// Those of a batch whose senders the room lets take part. Of what came while the room was here
    /// that is known.
    async fn let_through(&self, place: &Place, batch: Vec<Received>) -> StoreResult<Vec<Received>> {
        let (mut through, mut kept_out) = (Vec::with_capacity(batch.len()), Vec::new());
        let mut read = self.store.read();
        for received in batch {
            let was_held = received.failures == 0 && received.due_ms > received.received_ms;
            if !was_held {
                through.push(received);
                continue;
            }
            let origin = self.store.interned(&[received.origin]).await?.pop();
            let origin = origin.as_deref().and_then(parse::<OwnedServerName>);
            let may = match origin {
                Some(origin) => self.lets_server(&mut read, &place.room_id, &origin).await?,
                None => false,
            };
            if may { &mut through } else { &mut kept_out }.push(received);
        }
        if !kept_out.is_empty() {
            self.drop_all(&kept_out).await?;
        }
        Ok(through)
    }

    /// Enters those of a batch that have all they need; the others.
    async fn take_in_turn(&self, place: &Place, batch: Vec<Waiting>) -> StoreResult<Vec<Waiting>> {
        let mut left = Vec::new();
        let mut waits: VecDeque<_> = batch.into();
        let mut is_ahead = false;
        while let Some(waiting) = waits.pop_front() {
            if !is_ahead {
                let next = waits.iter().chain([&waiting]).map(|next| &next.event);
                is_ahead = self.ask_ahead((place.room, &place.version), next).await?;
            }
            let taken = self
                .receive_waiting(&waiting.event, &waiting.received)
                .await;
            left.extend(still_missing(taken)?.map(|_| waiting));
        }
        Ok(left)
    }

    /// Those of a batch that are events of the room; the others are dropped, or wait for keys.
    async fn verify_batch(&self, place: &Place, batch: Vec<Received>) -> StoreResult<Vec<Waiting>> {
        let pdus: Vec<_> = batch
            .iter()
            .map(|received| RawValue::from_string(received.json.clone()).unwrap_or_default())
            .collect();
        let pdus: Vec<&RawValue> = pdus.iter().map(AsRef::as_ref).collect();
        let room = (&place.version, &*place.room_id);
        let verified = self.verify(&pdus, room, KEYS_WITHIN).await;
        let mut events = Vec::new();
        for (received, verified) in batch.into_iter().zip(verified) {
            match verified {
                Ok(event) => events.push(Waiting { received, event }),
                Err(error @ PduError::Keys(_)) => self.postpone(received, &error).await?,
                Err(error) => {
                    let (room_id, id) = (&place.room_id, &received.id);
                    tracing::debug!(%room_id, id, %error, "a PDU is dropped");
                    self.drop_all(&[received]).await?;
                }
            }
        }
        Ok(events)
    }

    /// Leaves an event for a later attempt, or gives it up.
    async fn postpone(&self, mut received: Received, error: &impl Error) -> StoreResult<()> {
        received.failures += 1;
        if received.failures >= ATTEMPTS_MAX {
            let (room, id) = (received.room, &received.id);
            tracing::info!(room, id, %error, "an event is given up");
            return self.drop_all(&[received]).await;
        }
        let pause_ms = (PAUSE_MS << received.failures.min(20) >> 1).min(PAUSE_MAX_MS);
        received.due_ms = self.now_ms().saturating_add(pause_ms);
        let mut writes = WriteSet::new();
        inbox::put(&mut writes, &received);
        self.store.commit(writes).await?;
        Ok(())
    }

    async fn drop_all(&self, batch: &[Received]) -> StoreResult<()> {
        let mut writes = WriteSet::new();
        for received in batch {
            inbox::delete(&mut writes, received);
        }
        match self.store.commit(writes).await {
            Err(error) if !matches!(error, StoreError::Conflict) => Err(error),
            _ => Ok(()),
        }
    }
}

/// What an event still needs; None: it was received.
pub(super) fn still_missing(
    received: Result<Outcome, ReceiveError>,
) -> StoreResult<Option<ReceiveError>> {
    match received {
        Ok(_) => Ok(None),
        Err(ReceiveError::Store(error)) => Err(error),
        Err(error) => Ok(Some(error)),
    }
}
