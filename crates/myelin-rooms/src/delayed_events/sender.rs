//! Sends delayed events when their time has come: one node at a time, by lease.
//!
//! The events of a room are sent one after the other, in the order of their times; rooms do not wait
//! for each other. The lease only keeps nodes from doing the same work: each event is sent once by
//! what its set expects.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    pin::pin,
    time::Duration,
};

use bytes::Bytes;
use myelin_store::{
    StoreError, StoreResult, WriteSet,
    delayed_events::{self, DELAYED_EVENTS_SUBJECT, DelayedEvent, End, Outcome},
    followers::{self, Lease},
};
use tokio::{task::JoinSet, time::sleep};

use super::SendDelayedError;
use crate::Rooms;

/// The lease's name.
const FOLLOWER: &str = "delayed_events";
/// Events that are taken up at once.
const BATCH: i64 = 64;
/// The clock is looked at this often while an event waits.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often a node that does not send looks whether it has to.
const CLAIM_EVERY: Duration = Duration::from_secs(5);
/// The lease is looked at this often where it has to be renewed.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// The lease is renewed when it has less than this left.
const RENEW_MS: i64 = 20_000;
/// How long a room waits after a failure of this server.
const PAUSE: Duration = Duration::from_secs(1);

/// Makes the body of the error that is remembered of a failure. None: the failure is this server's
/// and may pass, so the event is tried again.
pub type DescribeFailure = fn(SendDelayedError) -> Option<Bytes>;

impl Rooms {
    /// Sends delayed events until `stop` returns, whenever no other node does.
    pub async fn send_delayed_events(
        &self,
        stop: impl Future<Output = ()>,
        describe: DescribeFailure,
    ) {
        let mut stop = pin!(stop);
        let mut holder = None;
        loop {
            let claim = followers::claim_for_run(&self.store, FOLLOWER, &mut holder, self.now_ms());
            tokio::select! {
                biased;
                claimed = claim => match claimed {
                    Ok(Some(lease)) => {
                        let mut sender = Sender::new(self.clone(), lease, describe);
                        let worked = sender.work(stop.as_mut()).await;
                        // If it was lost, another has it already.
                        if let Err(error) = followers::release(&self.store, sender.lease).await {
                            report(&error);
                        }
                        match worked {
                            Ok(()) => return,
                            Err(error) => report(&error),
                        }
                    }
                    Ok(None) => {}
                    Err(error) => report(&error),
                },
                () = &mut stop => return,
            }
            tokio::select! {
                biased;
                () = &mut stop => return,
                () = sleep(CLAIM_EVERY) => {}
            }
        }
    }

    /// Sends events of one room, one after the other.
    async fn send_due(&self, events: Vec<DelayedEvent>, describe: DescribeFailure) {
        for event in events {
            let failure = match self.send_delayed(&event).await {
                Ok(()) | Err(SendDelayedError::Changed) => continue,
                Err(failure) => failure,
            };
            let Some(body) = describe(failure) else {
                // Those behind it wait as well, for they come after it.
                sleep(PAUSE).await;
                return;
            };
            let mut writes = WriteSet::new();
            let (at_ms, outcome) = (self.now_ms(), Outcome::Failed(body));
            delayed_events::finalise(&mut writes, &event, End { at_ms, outcome });
            match self.store.commit(writes).await {
                // Its sender has done something about it at the last moment.
                Ok(_) | Err(StoreError::Conflict) => {}
                Err(error) => {
                    report(&error);
                    sleep(PAUSE).await;
                    return;
                }
            }
        }
    }
}

/// The node that sends.
struct Sender {
    rooms: Rooms,
    lease: Lease,
    describe: DescribeFailure,
    /// A task for each room in which events are being sent; it returns the room.
    work: JoinSet<i64>,
    busy: BTreeSet<i64>,
    /// When the next event in another room is due; None: there is none.
    next_due_ms: Option<i64>,
}

impl Sender {
    fn new(rooms: Rooms, lease: Lease, describe: DescribeFailure) -> Self {
        Self {
            rooms,
            lease,
            describe,
            work: JoinSet::new(),
            busy: BTreeSet::new(),
            next_due_ms: None,
        }
    }

    /// Works until `stop` returns, or until the lease is lost or the database fails.
    async fn work(&mut self, stop: impl Future<Output = ()>) -> StoreResult<()> {
        let mut stop = pin!(stop);
        let watch = self.rooms.store.live().watch();
        watch.add(DELAYED_EVENTS_SUBJECT);
        let mut mark = watch.mark();
        self.start_due().await?;
        loop {
            let is_shared = self.rooms.store.is_shared();
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(done) = self.work.join_next() => {
                    // A panic was reported where it happened, and must not stop the others.
                    if let Ok(room) = done {
                        self.busy.remove(&room);
                    }
                    self.start_due().await?;
                }
                () = watch.changed_since(mark) => {
                    mark = watch.mark();
                    self.start_due().await?;
                }
                () = sleep(LOOK_EVERY), if self.next_due_ms.is_some() => {}
                () = sleep(RENEW_EVERY), if is_shared && self.next_due_ms.is_none() => {}
            }
            self.renew_if_due().await?;
            let now_ms = self.rooms.now_ms();
            if self.next_due_ms.is_some_and(|due_ms| due_ms <= now_ms) {
                self.start_due().await?;
            }
        }
        self.work.shutdown().await;
        Ok(())
    }

    /// Takes up what is due.
    async fn start_due(&mut self) -> StoreResult<()> {
        let now_ms = self.rooms.now_ms();
        let mut read = self.rooms.store.read();
        let busy: Vec<i64> = self.busy.iter().copied().collect();
        let due = delayed_events::list_due(&mut read, now_ms, &busy, BATCH).await?;
        let mut by_room: BTreeMap<i64, Vec<DelayedEvent>> = BTreeMap::new();
        for event in due {
            by_room.entry(event.room).or_default().push(event);
        }
        for (room, events) in by_room {
            self.busy.insert(room);
            let (rooms, describe) = (self.rooms.clone(), self.describe);
            self.work.spawn(async move {
                rooms.send_due(events, describe).await;
                room
            });
        }
        let busy: Vec<i64> = self.busy.iter().copied().collect();
        self.next_due_ms = delayed_events::find_next_due(&mut read, &busy).await?;
        Ok(())
    }

    async fn renew_if_due(&mut self) -> StoreResult<()> {
        let (store, now_ms) = (&self.rooms.store, self.rooms.now_ms());
        if self.lease.until_ms().saturating_sub(now_ms) < RENEW_MS {
            let lease_ms = followers::lease_ms(store);
            let renewed = followers::renew(store, &self.lease, now_ms, lease_ms).await?;
            self.lease = renewed.ok_or(StoreError::Conflict)?;
        }
        Ok(())
    }
}

fn report(error: &StoreError) {
    let error = error as &dyn Error;
    tracing::warn!(error, "delayed events must wait");
}
