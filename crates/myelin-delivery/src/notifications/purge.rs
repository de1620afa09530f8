//! Forgets what was noted long ago and is of no use any more.
//!
//! Once a day, a little with each tick, the follower walks along all threads, all old exceptions
//! and all modes. Where it is in that is remembered nowhere: what is left to do is there to be
//! found, so after a restart it begins anew. It writes as it does otherwise, so two never do it at
//! once, and nothing is deleted beneath what is being counted.

use std::mem::discriminant;

use myelin_store::{
    StoreResult, WriteSet,
    notifications::{self, KEPT_MS, ModePlace, OldException, OldestOfThread},
};

use super::follower::Follower;

/// How long after the follower has begun its work it looks for the first time, and how long after
/// it has begun to look it does so again.
const FIRST_AFTER_MS: i64 = 60_000;
const AGAIN_AFTER_MS: i64 = 24 * 60 * 60 * 1_000;
/// Rows looked at in one step, and most rows that it deletes.
const LOOK: i64 = 200;
const ROWS_MAX: usize = 500;
/// Threads of which one step finds out who has read them: each costs the members of its room.
const THREADS_MAX: usize = 10;

/// Where the follower is in looking for what is of no use any more.
#[derive(Debug)]
pub(super) struct Purge {
    stage: Stage,
    /// When the next round begins.
    due_ms: i64,
    /// When the round under way has begun.
    began_ms: i64,
}

#[derive(Debug)]
enum Stage {
    Waiting,
    /// After this thread of this room.
    Threads(i64, String),
    Exceptions(OldException),
    Modes(ModePlace),
}

impl Purge {
    pub(super) fn new(now_ms: i64) -> Self {
        Self {
            stage: Stage::Waiting,
            due_ms: now_ms.saturating_add(FIRST_AFTER_MS),
            began_ms: 0,
        }
    }
}

/// One step's deletions, and where the next one begins.
struct Step {
    writes: WriteSet,
    next: Stage,
}

impl Follower {
    /// Does the next step of a round, if one is due. Returns when the round began, if that was its
    /// last step.
    pub(super) async fn purge_if_due(&mut self) -> StoreResult<Option<i64>> {
        if matches!(self.purge.stage, Stage::Waiting) {
            let now_ms = self.now_ms();
            if now_ms < self.purge.due_ms {
                return Ok(None);
            }
            self.purge.began_ms = now_ms;
            self.purge.due_ms = now_ms.saturating_add(AGAIN_AFTER_MS);
            self.purge.stage = Stage::Threads(i64::MIN, String::new());
        }
        // What is looked at is what is written.
        self.flush().await?;
        let before_ms = self.purge.began_ms.saturating_sub(KEPT_MS);
        loop {
            let Step { writes, next } = match &self.purge.stage {
                Stage::Waiting => return Ok(Some(self.purge.began_ms)),
                Stage::Threads(room, thread) => {
                    self.purge_threads(before_ms, (*room, thread)).await?
                }
                Stage::Exceptions(after) => self.purge_exceptions(before_ms, after).await?,
                Stage::Modes(after) => self.purge_modes(before_ms, after).await?,
            };
            if !writes.is_empty() {
                self.commit(writes).await?;
            }
            // The end of one table and the beginning of the next are one step.
            let goes_on = discriminant(&next) == discriminant(&self.purge.stage);
            self.purge.stage = next;
            if goes_on {
                return Ok(None);
            }
        }
    }

    async fn purge_threads(&self, before_ms: i64, after: (i64, &str)) -> StoreResult<Step> {
        let mut read = self.store.read();
        let found = notifications::list_oldest_of_threads(&mut read, after, LOOK).await?;
        let is_last = is_short(found.len());
        let mut step = Step {
            writes: WriteSet::new(),
            next: Stage::Threads(after.0, after.1.to_owned()),
        };
        let (mut rows, mut threads) = (0, 0);
        for OldestOfThread {
            room,
            thread,
            noted_ms,
        } in found
        {
            if noted_ms >= before_ms {
                step.next = Stage::Threads(room, thread);
                continue;
            }
            if rows >= ROWS_MAX || threads >= THREADS_MAX {
                return Ok(step);
            }
            let place = (room, thread.as_str());
            let (deleted, is_whole) = self
                .purge_thread(&mut step.writes, place, (before_ms, ROWS_MAX - rows))
                .await?;
            if !is_whole {
                return Ok(step);
            }
            rows += deleted;
            threads += 1;
            step.next = Stage::Threads(room, thread);
        }
        if is_last {
            step.next = Stage::Exceptions(OldException::FIRST);
        }
        Ok(step)
    }

    /// Deletes of a thread what is old and was read by everybody, from its beginning on, at most
    /// `rows_max` events. Returns how many, and whether nothing is left to delete.
    async fn purge_thread(
        &self,
        writes: &mut WriteSet,
        place: (i64, &str),
        (before_ms, rows_max): (i64, usize),
    ) -> StoreResult<(usize, bool)> {
        let mut read = self.store.read();
        let read_to = notifications::read_by_all(&mut read, place).await?;
        let limit = i64::try_from(rows_max).unwrap_or(i64::MAX);
        let events = notifications::list_of_thread(&mut read, place, limit).await?;
        let old = events.iter().take_while(|(room_order, noted_ms)| {
            *noted_ms < before_ms && read_to.is_none_or(|read_to| *room_order <= read_to)
        });
        let old: Vec<i64> = old.map(|(room_order, _)| *room_order).collect();
        for room_order in &old {
            notifications::delete_event(writes, place.0, *room_order);
        }
        let may_have_more = events.len() >= rows_max && old.len() == events.len();
        if old.len() == events.len() && !may_have_more {
            notifications::delete_thread(writes, place.0, place.1);
        }
        Ok((old.len(), !may_have_more))
    }

    async fn purge_exceptions(&self, before_ms: i64, after: &OldException) -> StoreResult<Step> {
        let mut read = self.store.read();
        let after = (after, LOOK);
        let found = notifications::list_old_exceptions(&mut read, before_ms, after).await?;
        let mut writes = WriteSet::new();
        for old in found.iter().filter(|old| !old.is_unread) {
            notifications::delete_exception(&mut writes, old.user, (old.room, old.room_order));
        }
        let last = found.last().filter(|_| !is_short(found.len()));
        let next = last.map_or(Stage::Modes(ModePlace::FIRST), |last| {
            Stage::Exceptions(*last)
        });
        Ok(Step { writes, next })
    }

    async fn purge_modes(&self, before_ms: i64, after: &ModePlace) -> StoreResult<Step> {
        let mut read = self.store.read();
        let after = (after, LOOK);
        let found = notifications::list_replaced_modes(&mut read, before_ms, after).await?;
        let mut writes = WriteSet::new();
        for mode in found.iter().filter(|mode| mode.is_over) {
            notifications::delete_mode(&mut writes, mode);
        }
        let last = found.last().filter(|_| !is_short(found.len()));
        let next = last.map_or(Stage::Waiting, |last| Stage::Modes(*last));
        Ok(Step { writes, next })
    }
}

/// Whether a list ends here.
fn is_short(found: usize) -> bool {
    i64::try_from(found).is_ok_and(|found| found < LOOK)
}
