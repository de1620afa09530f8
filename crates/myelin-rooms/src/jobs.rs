//! Works off jobs: what a request has to do in many rooms or to many events, once it is answered.
//!
//! A job is worked in slices of a few of these, so that jobs take turns and a node that ends loses at
//! most one slice, which is done again: what is done does nothing the second time.

mod leave_all;
mod profile;

use std::{
    error::Error,
    future::{pending, ready},
    pin::pin,
    time::Duration,
};

use myelin_core::membership::Membership;
use myelin_store::{
    Sequence, StoreError, StoreResult,
    jobs::{self, Claim, JOBS_SUBJECT, Job, JobKind},
    memberships,
};
use ruma::{OwnedRoomId, OwnedUserId};
use tokio::{task::JoinSet, time::sleep};

use crate::{AppendError, Rooms, append::Draft, numbers::parse, open_room::OpenRoom};

/// Rooms worked at once: their events then share a flush.
const SLICE: i64 = 16;
/// A node that does not come back for this long is taken to be gone.
const LEASE_MS: i64 = 30_000;
/// The clock is looked at this often while jobs wait for their time.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After so many looks at the clock the database is asked again.
const LOOKS: u32 = 5;
/// The longest pause between two attempts.
const BACK_OFF_MAX_MS: i64 = 300_000;

/// What there was to do.
enum Found {
    Work,
    /// Something is due then, which nobody will wake us for.
    Later(i64),
    Nothing,
}

impl Rooms {
    /// Works off the jobs of this database until `stop` returns, sharing them with the other nodes
    /// that do the same. A slice that has begun is finished first.
    pub async fn work_off_jobs(&self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let watch = self.store.live().watch();
        watch.add(JOBS_SUBJECT);
        let mut holder = None;
        loop {
            let mark = watch.mark();
            let found = match self.work_one_slice(&mut holder).await {
                Ok(found) => found,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn Error, "jobs must wait");
                    Found::Later(self.now_ms())
                }
            };
            let next = async {
                match found {
                    Found::Work => ready(()).await,
                    Found::Later(due_ms) => tokio::select! {
                        biased;
                        () = watch.changed_since(mark) => {}
                        () = self.await_due(Some(due_ms)) => {}
                    },
                    Found::Nothing => watch.changed_since(mark).await,
                }
            };
            tokio::select! {
                biased;
                () = &mut stop => return,
                () = next => {}
            }
        }
    }

    /// Waits until this time, on the clock that is handed in: looking at it costs no statement.
    /// After a few looks it returns in any case, for another node may have changed what is due.
    /// Never returns where nothing is.
    pub(crate) async fn await_due(&self, due_ms: Option<i64>) {
        let Some(due_ms) = due_ms else {
            return pending().await;
        };
        for _ in 0..LOOKS {
            sleep(LOOK_EVERY).await;
            if due_ms <= self.now_ms() {
                return;
            }
        }
    }

    async fn work_one_slice(&self, holder: &mut Option<i64>) -> StoreResult<Found> {
        let holder = match *holder {
            Some(holder) => holder,
            None => *holder.insert(self.start_working().await?),
        };
        match jobs::claim(&self.store, holder, self.now_ms(), LEASE_MS).await? {
            Claim::Job(job) => self.work(job).await.map(|()| Found::Work),
            Claim::Later(due_ms) => Ok(Found::Later(due_ms)),
            Claim::Nothing => Ok(Found::Nothing),
        }
    }

    /// This run's number as a holder of jobs.
    async fn start_working(&self) -> StoreResult<i64> {
        let numbers = self.store.next_numbers(Sequence::Node, 1).await?;
        let holder = *numbers
            .first()
            .ok_or(StoreError::Missing { table: "sequences" })?;
        if !self.store.is_shared() {
            // Who held them is gone: only one process has this database.
            jobs::free_held(&self.store, self.now_ms()).await?;
        }
        Ok(holder)
    }

    /// Works one slice of a job, and gives it back or ends it. If it is lost meanwhile, because a
    /// newer one has taken its place, then that one does all of it.
    async fn work(&self, job: Job) -> StoreResult<()> {
        let memberships: &[Membership] = match job.kind {
            JobKind::SendGuestsAway => return self.send_guests_away(job).await,
            JobKind::RedactRelated => return self.redact_some_related(job).await,
            JobKind::JudgeSticky => return self.judge_sticky(job).await,
            JobKind::Profile => &[Membership::Join],
            JobKind::LeaveAll => &[Membership::Join, Membership::Invite, Membership::Knock],
        };
        let slice = (job.cursor, SLICE);
        let mut read = self.store.read();
        let rooms =
            memberships::list_rooms_after(&mut read, job.subject, memberships, slice).await?;
        let Some(last) = rooms.last().copied() else {
            jobs::finish(&self.store, &job).await?;
            return Ok(());
        };
        let done = self.work_in_rooms(&job, &rooms).await;
        self.put_back(job, last, done).await
    }

    async fn send_guests_away(&self, job: Job) -> StoreResult<()> {
        let Some((room_id, guests)) = self.guests_to_send_away(&job, SLICE).await? else {
            jobs::finish(&self.store, &job).await?;
            return Ok(());
        };
        let (mut last, mut done) = (job.cursor, Ok(()));
        for (number, guest) in guests {
            last = number;
            if let Err(error) = self.leave_for_good(&guest, &room_id).await {
                done = Err(error);
            }
        }
        self.put_back(job, last, done).await
    }

    async fn redact_some_related(&self, job: Job) -> StoreResult<()> {
        match self.redact_related(&job).await? {
            Some((last, done)) => self.put_back(job, last, done).await,
            None => jobs::finish(&self.store, &job).await.map(drop),
        }
    }

    /// Gives a job back after a slice that ended at `last`; a slice that failed is done again.
    async fn put_back(&self, mut job: Job, last: i64, done: StoreResult<()>) -> StoreResult<()> {
        let Err(error) = done else {
            job.cursor = last;
            job.failures = 0;
            jobs::put_back(&self.store, &job, self.now_ms()).await?;
            return Ok(());
        };
        let back_off_ms = (1_000_i64 << job.failures.min(16)).min(BACK_OFF_MAX_MS);
        job.failures += 1;
        jobs::put_back(&self.store, &job, self.now_ms() + back_off_ms).await?;
        Err(error)
    }

    /// Appends what a job has to say in a room and waits until it is durable; what the room refuses is
    /// left unsaid. False: the room has changed meanwhile, and it has to be looked at again.
    pub(crate) async fn append_unless_refused(
        &self,
        room: OpenRoom<'_>,
        draft: &Draft<'_>,
    ) -> StoreResult<bool> {
        let Draft {
            sender, event_type, ..
        } = draft;
        let room_id = room.id();
        let room = match room.append(draft).await {
            Ok(appended) => appended.room,
            Err(AppendError::Store(error)) => return Err(error),
            Err(refused) => {
                tracing::debug!(%sender, %room_id, event_type, %refused, "left unsaid");
                return Ok(true);
            }
        };
        Ok(self.settle(room.submit()?).await?.is_some())
    }

    /// All rooms are tried, whatever happens in one of them.
    async fn work_in_rooms(&self, job: &Job, rooms: &[i64]) -> StoreResult<()> {
        let mut user = self.store.interned(&[job.subject]).await?;
        let Some(user) = user.pop().and_then(|id| parse::<OwnedUserId>(&id)) else {
            return Ok(());
        };
        let mut work = JoinSet::new();
        for room_id in self.store.interned(rooms).await? {
            if let Some(room_id) = parse(&room_id) {
                work.spawn(work_in_room(self.clone(), job.kind, user.clone(), room_id));
            }
        }
        let mut result = Ok(());
        while let Some(outcome) = work.join_next().await {
            // A panic was reported where it happened; the job must not stop there for ever.
            if let Ok(Err(error)) = outcome {
                result = Err(error);
            }
        }
        result
    }
}

async fn work_in_room(
    rooms: Rooms,
    kind: JobKind,
    user: OwnedUserId,
    room_id: OwnedRoomId,
) -> StoreResult<()> {
    match kind {
        JobKind::Profile => rooms.carry_profile(&user, &room_id).await,
        JobKind::LeaveAll => rooms.leave_for_good(&user, &room_id).await,
        // Are about one room, and so never come here.
        JobKind::SendGuestsAway | JobKind::RedactRelated | JobKind::JudgeSticky => Ok(()),
    }
}
