//! Sticky events: which events of a room everybody in it is to be shown, whatever else happens.
//!
//! [MSC4354](https://github.com/matrix-org/matrix-spec-proposals/pull/4354). What makes an event
//! sticky is a row beside it, written by the set that stores it, and gone when its time is over or
//! the event is redacted. One that soft-fails is kept as well, for a job to judge it anew when the
//! room has changed: servers must come to agree on what is sticky. So is one of a time before this
//! server was there, which the room as it is now was not asked about.
//!
//! Nobody fills a room with sticky events: what is too much at a time is refused if a user of this
//! server sends it (429), and what comes from elsewhere waits for the same job (option B of the
//! proposal's "Rate limits"), so that no other event of its transaction has to.

use bytes::Bytes;
use myelin_core::sticky;
use myelin_store::{
    StoreError, StoreResult, WriteSet,
    events::{self, StoredEvent},
    jobs::{self, Job, JobKind},
    rooms,
    sticky_events::{self, StickyEvent},
};
use ruma::{OwnedUserId, RoomId};

use crate::{Rooms, numbers::parse, open_room::OpenRoom};

/// Most sticky events of a sender that come to be shown in a room within [`SHOWN_WITHIN_MS`], of
/// those that are sticky still. Whoever is in a call sends one in minutes.
pub(crate) const SHOWN_MAX: i64 = 100;
/// Ten minutes: what is held back of a burst is shown before an hour is over.
const SHOWN_WITHIN_MS: i64 = 10 * 60 * 1_000;
/// Senders who are looked at together.
const SENDERS: i64 = 100;
/// Events of one sender that are looked at in one go. Those behind them wait until they are shown or
/// over: a server that floods a room makes no more work than that.
const LOOKED_AT_MAX: i64 = 100;
/// How often it is looked whether the room has changed, or has space again for what waits.
const LOOK_EVERY_MS: i64 = 1_000;
/// Rows that one commit deletes.
const EXPIRED: i64 = 500;

/// How an event came into its room, or did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TakenAs {
    /// It is new in the room.
    Accepted,
    /// The room as it is now refuses it.
    SoftFailed,
    /// It was said before this server was there, and the room as it is now was not asked.
    History,
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
        let own = self.rooms.is_own(stored.sender).await?;
        let is_shown = taken_as == TakenAs::Accepted
            && (own || self.count_shown(stored.sender).await?.0 < SHOWN_MAX);
        let noted = StickyEvent {
            event: stored.event,
            room: stored.room,
            sender: stored.sender,
            until_ms,
            own,
            soft_failed: taken_as != TakenAs::Accepted,
            shown_ms: is_shown.then_some(now_ms),
        };
        sticky_events::insert(&mut self.writes, &noted);
        if !is_shown && !std::mem::replace(&mut self.judges_sticky, true) {
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

    /// How many sticky events of a sender have come up in the room lately, and when the first of them
    /// counts no more.
    pub(crate) async fn count_shown(&mut self, sender: i64) -> StoreResult<(i64, Option<i64>)> {
        let (by, at) = ((self.number(), sender), (self.now_ms(), SHOWN_WITHIN_MS));
        sticky_events::count_shown(&mut self.read, by, at).await
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

    /// Shows what waits in a room: what it has refused if it has moved since and allows it now, and
    /// what was held back if its sender has space again. The job ends with the last of it.
    pub(crate) async fn judge_sticky(&self, mut job: Job) -> StoreResult<()> {
        let room = rooms::find(&mut self.store.read(), job.subject).await?;
        let is_waiting = match &room {
            Some(room) => self.show_waiting(&job, room.version).await?,
            None => false,
        };
        let (Some(room), true) = (room, is_waiting) else {
            jobs::finish(&self.store, &job).await?;
            return Ok(());
        };
        (job.cursor, job.failures) = (room.version, 0);
        let due_ms = self.now_ms().saturating_add(LOOK_EVERY_MS);
        jobs::put_back(&self.store, &job, due_ms).await?;
        Ok(())
    }

    /// False: nothing has waited.
    async fn show_waiting(&self, job: &Job, version: i64) -> StoreResult<bool> {
        let (room, has_moved) = (job.subject, job.cursor != version);
        let room_id = self.room_id(room).await?;
        let (mut after, mut is_waiting) = (0, false);
        loop {
            let (mut read, place) = (self.store.read(), (after, SENDERS));
            let senders =
                sticky_events::list_waiting_senders(&mut read, room, self.now_ms(), place).await?;
            let Some(last) = senders.last() else {
                return Ok(is_waiting);
            };
            (after, is_waiting) = (*last, true);
            for sender in senders {
                self.show_waiting_of((&room_id, (room, sender)), has_moved)
                    .await?;
            }
        }
    }

    async fn show_waiting_of(
        &self,
        (room_id, by): (&RoomId, (i64, i64)),
        has_moved: bool,
    ) -> StoreResult<()> {
        let (mut read, now_ms) = (self.store.read(), self.now_ms());
        let (shown, _) =
            sticky_events::count_shown(&mut read, by, (now_ms, SHOWN_WITHIN_MS)).await?;
        let mut space = SHOWN_MAX - shown;
        if space <= 0 {
            return Ok(());
        }
        for waiting in sticky_events::list_waiting(&mut read, by, now_ms, LOOKED_AT_MAX).await? {
            if space == 0 {
                break;
            }
            let is_refused = waiting.soft_failed
                && !(has_moved && self.is_allowed_now(room_id, waiting.event).await?);
            if is_refused {
                continue;
            }
            space -= 1;
            let mut writes = WriteSet::new();
            sticky_events::show(&mut writes, &waiting, now_ms);
            match self.store.commit(writes).await {
                // Another node has judged it alike, or it was redacted.
                Ok(_) | Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn is_allowed_now(&self, room_id: &RoomId, event: i64) -> StoreResult<bool> {
        let stored = events::find(&mut self.store.read(), event).await?;
        match (self.open(room_id).await?, stored) {
            (Some(mut room), Some(stored)) => room.allows_now(&stored).await,
            _ => Ok(false),
        }
    }

    /// Whether a user is one of this server, by whichever way an event came here.
    async fn is_own(&self, sender: i64) -> StoreResult<bool> {
        let mut names = self.store.interned(&[sender]).await?;
        let sender = names.pop().and_then(|id| parse::<OwnedUserId>(&id));
        Ok(sender.is_some_and(|sender| self.server.is_local(&sender)))
    }
}
