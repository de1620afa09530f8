//! Sticky events: which events of a room everybody in it is to be shown, whatever else happens.
//!
//! [MSC4354](https://github.com/matrix-org/matrix-spec-proposals/pull/4354). What makes an event
//! sticky is a row beside it, written by the set that stores it, and gone when its time is over or
//! the event is redacted. One that soft-fails is kept as well, for a job to judge it anew when the
//! room has changed: servers must come to agree on what is sticky.

use bytes::Bytes;
use myelin_core::sticky;
use myelin_store::{
    StoreError, StoreResult, WriteSet,
    events::{self, StoredEvent},
    jobs::{self, Job, JobKind},
    rooms,
    sticky_events::{self, StickyEvent},
};
use ruma::{OwnedRoomId, RoomId};

use crate::{Rooms, numbers::parse, open_room::OpenRoom};

/// Soft-failed events that are judged at once.
const SLICE: i64 = 100;
/// How often it is looked whether the room has changed.
const LOOK_EVERY_MS: i64 = 1_000;
/// Rows that one commit deletes.
const EXPIRED: i64 = 500;

/// How an event came into its room, or did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TakenAs {
    /// A user of this server has sent it.
    Own,
    /// It came from another server.
    Received,
    /// The same, and the room as it is now refuses it.
    SoftFailed,
}

impl OpenRoom<'_> {
    /// Notes that an event is sticky, if it is, in the set that stores it.
    pub(crate) async fn note_sticky(
        &mut self,
        stored: &StoredEvent,
        taken_as: TakenAs,
    ) -> StoreResult<()> {
        let now_ms = self.now_ms();
        let sent_ms = u64::try_from(stored.origin_server_ts).unwrap_or_default();
        let until_ms = sticky::until_ms(&stored.json, sent_ms, now_ms.unsigned_abs());
        let until_ms = until_ms.and_then(|until_ms| i64::try_from(until_ms).ok());
        let Some(until_ms) = until_ms.filter(|until_ms| *until_ms > now_ms) else {
            return Ok(());
        };
        let noted = StickyEvent {
            event: stored.event,
            room: stored.room,
            sender: stored.sender,
            until_ms,
            own: taken_as == TakenAs::Own,
            soft_failed: taken_as == TakenAs::SoftFailed,
        };
        sticky_events::insert(&mut self.writes, &noted);
        if noted.soft_failed {
            let job = (JobKind::JudgeSticky, stored.room);
            let (read, writes) = (&mut self.read, &mut self.writes);
            jobs::enqueue(read, writes, job, Bytes::new(), now_ms).await?;
        }
        Ok(())
    }

    /// Lets an event be sticky no more, in the set that redacts it.
    pub(crate) fn forget_sticky(&mut self, event: &StoredEvent) {
        if sticky::duration_ms(&event.json).is_some() {
            sticky_events::delete(&mut self.writes, event.event);
        }
    }
}

impl Rooms {
    /// Deletes what made events sticky whose time is over. To be called from time to time; that
    /// several nodes do so at once does no harm.
    pub async fn delete_expired_stickiness(&self) -> StoreResult<()> {
        loop {
            let mut read = self.store.read();
            let expired = sticky_events::list_expired(&mut read, self.now_ms(), EXPIRED).await?;
            if expired.is_empty() {
                return Ok(());
            }
            let mut writes = WriteSet::new();
            sticky_events::delete_expired(&mut writes, &expired);
            self.store.commit(writes).await?;
        }
    }

    /// Judges anew what a room has refused and what is sticky still, if the room has moved since.
    /// The job ends with the last of it.
    pub(crate) async fn judge_sticky(&self, mut job: Job) -> StoreResult<()> {
        let now_ms = self.now_ms();
        let mut read = self.store.read();
        let waiting =
            sticky_events::list_soft_failed(&mut read, job.subject, now_ms, (0, 1)).await?;
        let room = rooms::find(&mut read, job.subject).await?;
        let (Some(room), false) = (room, waiting.is_empty()) else {
            jobs::finish(&self.store, &job).await?;
            return Ok(());
        };
        if room.version != job.cursor {
            let name = self.store.interned(&[job.subject]).await?.pop();
            let room_id = name.as_deref().and_then(parse::<OwnedRoomId>);
            let room_id = room_id.ok_or(StoreError::Missing { table: "interned" })?;
            self.judge_all_sticky(&room_id, job.subject).await?;
            job.cursor = room.version;
        }
        job.failures = 0;
        jobs::put_back(&self.store, &job, now_ms.saturating_add(LOOK_EVERY_MS)).await?;
        Ok(())
    }

    async fn judge_all_sticky(&self, room_id: &RoomId, room: i64) -> StoreResult<()> {
        let mut after = 0;
        loop {
            let (mut read, now_ms) = (self.store.read(), self.now_ms());
            let place = (after, SLICE);
            let slice = sticky_events::list_soft_failed(&mut read, room, now_ms, place).await?;
            let Some(last) = slice.last() else {
                return Ok(());
            };
            after = last.event;
            for waiting in &slice {
                self.judge_one_sticky(room_id, waiting).await?;
            }
        }
    }

    async fn judge_one_sticky(&self, room_id: &RoomId, waiting: &StickyEvent) -> StoreResult<()> {
        if !self.is_allowed_now(room_id, waiting.event).await? {
            return Ok(());
        }
        let mut writes = WriteSet::new();
        sticky_events::show(&mut writes, waiting);
        match self.store.commit(writes).await {
            // Another node has judged it alike.
            Ok(_) | Err(StoreError::Conflict) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn is_allowed_now(&self, room_id: &RoomId, event: i64) -> StoreResult<bool> {
        let stored = events::find(&mut self.store.read(), event).await?;
        match (self.open(room_id).await?, stored) {
            (Some(mut room), Some(stored)) => room.allows_now(&stored).await,
            _ => Ok(false),
        }
    }
}
